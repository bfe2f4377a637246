"""Spans of OpenTelemetry for finished requests: one for the request, one for each stage inside the server.

Decides names, attributes and parents; without an SDK nothing is made. Spans are written when the request is
over, with the times that it had. Must not know exporters beyond switching the standard one on.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from sardonyx import __version__
from sardonyx.serve.seams import Record
from sardonyx.serve.settings import TraceSettings

_STAGES = ("queue", "input", "infer", "output")


class Traces:
    """An Observer that makes spans.

    A request with a W3C `traceparent` is traced if its sender traces it; of the others `sampling_rate` are,
    of those that the settings of the trace extension take where these are about spans.
    """

    def __init__(
        self,
        provider: trace.TracerProvider | None = None,
        sampling_rate: float = 1.0,
        settings: TraceSettings | None = None,
    ) -> None:
        provider = provider or trace.get_tracer_provider()
        self.active = not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
        self._settings = settings or TraceSettings()
        if self.active:
            self._settings.offer_spans()
        self._tracer = provider.get_tracer("sardonyx", __version__)
        self._sampling_rate = sampling_rate

    def observe(self, record: Record) -> None:
        """Make the spans of one finished request, if it is sampled."""
        if not self.active:
            return
        headers = record.request.context.headers
        parent = (
            extract(headers, context=current.Context()) if "traceparent" in headers else current.Context()
        )
        remote = trace.get_current_span(parent).get_span_context()
        if remote.is_valid:
            if not remote.trace_flags.sampled:
                return
        elif not self._settings.spans(record.route.target.model) or random.random() >= self._sampling_rate:
            return
        end = int(record.finished_s * 1e9)
        began = end - record.timings.total_ns
        target = record.route.target
        span = self._tracer.start_span(
            f"infer {target.model}", parent, SpanKind.SERVER, _attributes(record), start_time=began
        )
        if record.error is not None:
            span.set_status(Status(StatusCode.ERROR, record.error.message))
            span.set_attribute("error.type", record.error.code.name.lower())
        else:
            self._stages(span, record, end)
        span.end(end)

    def _stages(self, span: Span, record: Record, end_ns: int) -> None:
        inside = trace.set_span_in_context(span, current.Context())
        spent = record.timings
        lengths = [getattr(spent, f"{stage}_ns") for stage in _STAGES]
        at = end_ns - sum(lengths)
        for stage, length in zip(_STAGES, lengths, strict=True):
            if length:
                self._tracer.start_span(stage, inside, start_time=at).end(at + length)
            at += length


def _attributes(record: Record) -> dict[str, Any]:
    target, request = record.route.target, record.request
    facts: Mapping[str, Any] = {
        "sardonyx.model": target.model,
        "sardonyx.version": record.response.version if record.response else target.version,
        "sardonyx.deployment": target.deployment,
        "sardonyx.request_id": request.known_as,
        "sardonyx.batch_rows": record.timings.batch_rows,
        "sardonyx.shadow_of": record.shadow_of,
        "network.protocol.name": request.context.transport,
        "enduser.id": request.context.principal.name,
    }
    return {name: value for name, value in facts.items() if value != ""}


def export(environment: Mapping[str, str] = os.environ) -> bool:
    """Send spans by OTLP where the standard variables OTEL_EXPORTER_OTLP_* point; False if none is set.

    Raises RuntimeError if the SDK is not installed.
    """
    if not any(environment.get(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_")):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise RuntimeError(f"traces need {error.name}: pip install 'sardonyx[otel]'") from error
    name = environment.get("OTEL_SERVICE_NAME", "sardonyx")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
