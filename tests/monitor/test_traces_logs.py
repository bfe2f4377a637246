"""Spans and log lines say what happened, under the sender's trace, and no secret."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sardonyx.monitor.logs import REQUESTS, JsonFormatter, RequestLog
from sardonyx.monitor.monitoring import Gauge, Monitoring, MonitorOptions
from sardonyx.monitor.traces import Traces, export
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.settings import TraceSettings
from tests.monitor.records import record

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def test_spans_have_the_sender_as_parent_and_the_times_of_the_stages(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    Traces(provider).observe(record(id="r1", headers=headers, total_ns=8_000_000, finished_s=1000.0))
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"infer m", "queue", "input", "infer", "output"}
    top = spans["infer m"]
    assert format(top.context.trace_id, "032x") == TRACE and top.parent is not None
    assert (top.start_time, top.end_time) == (int(1000e9) - 8_000_000, int(1000e9))
    assert top.attributes is not None and top.attributes["sardonyx.request_id"] == "r1"
    infer = spans["infer"]
    assert infer.parent is not None and infer.parent.span_id == top.context.span_id
    assert infer.end_time is not None and infer.start_time is not None
    assert infer.end_time - infer.start_time == 2_000_000
    assert spans["queue"].start_time == top.start_time


def test_failures_are_errors_and_sampling_is_obeyed(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    Traces(provider).observe(record(code=Code.INTERNAL))
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok and span.attributes is not None
    assert span.attributes["error.type"] == "internal"
    exporter.clear()
    unsampled = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}
    Traces(provider).observe(record(headers=unsampled))
    Traces(provider, sampling_rate=0).observe(record())
    assert exporter.get_finished_spans() == ()


def test_the_trace_settings_say_which_requests_have_spans(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    settings = TraceSettings()
    traces = Traces(provider, settings=settings)

    def spans(model: str = "m", **headers: str) -> int:
        exporter.clear()
        for _ in range(12):
            traces.observe(record(model=model, headers=headers))
        return sum(span.name.startswith("infer ") for span in exporter.get_finished_spans())

    assert (settings.of()["trace_mode"], spans()) == ("opentelemetry", 12)
    settings.change({"trace_rate": "4"})
    assert spans() == 3
    settings.change({"trace_level": ["OFF"]}, "m")
    assert (spans(), spans("other")) == (0, 3)
    assert spans(traceparent=f"00-{TRACE}-b7ad6b7169203331-01") == 12
    settings.change({"trace_level": None}, "m")
    settings.change({"trace_count": "2", "trace_rate": None})
    assert spans() == 2
    settings.change({"trace_count": None, "trace_level": None})
    assert spans() == 12
    with pytest.raises(ServeError, match="only 'opentelemetry' can"):
        settings.change({"trace_mode": "triton"})


def test_settings_of_a_trace_file_say_nothing_of_spans(
    provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    settings = TraceSettings("trace.json")
    Traces(provider, settings=settings).observe(record())
    assert settings.of()["trace_level"] == ["OFF"]
    assert exporter.get_finished_spans()


def test_without_an_sdk_nothing_is_made() -> None:
    traces = Traces()
    assert not traces.active
    traces.observe(record())
    assert export({}) is False


def test_lines_are_json_without_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(REQUESTS)
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "propagate", False)
    headers = {"authorization": "Bearer sdx_1_topsecret", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    RequestLog().observe(record(id='quote " and\nline', headers=headers))
    RequestLog().observe(record(code=Code.UNAVAILABLE))
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["status"] == "ok" and first["trace_id"] == TRACE and first["total_ms"] == 1
    assert first["request_id"] == 'quote " and\nline'
    assert second["level"] == "warning" and second["status"] == "unavailable"
    assert "topsecret" not in stream.getvalue()


def test_a_broken_observer_costs_no_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monitoring = Monitoring(MonitorOptions(tmp_path), gauges=lambda: [Gauge("m", "1", True, 3, 4096)])

    class Broken:
        def observe(self, _: object) -> None:
            raise ZeroDivisionError

    monitoring._observers.insert(0, Broken())
    for _ in range(3):
        monitoring.observe(record())
    assert caplog.text.count("Broken failed") == 1
    monitoring.refresh()
    registry = monitoring.metrics.registry
    labels = {"model": "m", "version": "1"}
    assert registry.get_sample_value("sardonyx_queue_requests", labels) == 3
    assert registry.get_sample_value("sardonyx_model_memory_bytes", labels) == 4096
    outcome = {**labels, "deployment": "", "transport": "http", "outcome": "ok"}
    assert registry.get_sample_value("sardonyx_requests_total", outcome) == 3
