"""Logs as one JSON object a line, and a line for each finished request.

Decides fields; no header, no tensor and no secret is among them. Must not know where lines go.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from sardonyx.serve.seams import Record

REQUESTS = "sardonyx.requests"

_log = logging.getLogger(REQUESTS)


class JsonFormatter(logging.Formatter):
    """A record as `{"at", "level", "logger", "message", ...}`, with the fields of `extra={"fields": {}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def log_to_stderr() -> None:
    """Write all logs of this package to stderr as JSON, those of requests included."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("sardonyx")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class RequestLog:
    """An Observer that logs finished requests: failures as warnings, others as information."""

    def observe(self, record: Record) -> None:
        """Log one request."""
        level = logging.INFO if record.error is None else logging.WARNING
        if _log.isEnabledFor(level):
            _log.log(level, _sentence(record), extra={"fields": fields(record)})


def fields(record: Record) -> dict[str, Any]:
    """What a line says of a request; times in milliseconds."""
    request, target, spent = record.request, record.route.target, record.timings
    facts: dict[str, Any] = {
        "model": target.model,
        "version": record.response.version if record.response else target.version,
        "deployment": target.deployment,
        "request_id": request.known_as,
        "principal": request.context.principal.name,
        "transport": request.context.transport,
        "status": record.error.code.name.lower() if record.error else "ok",
        "trace_id": _trace_id(request.context.headers.get("traceparent", "")),
        "shadow_of": record.shadow_of,
    }
    known = {name: value for name, value in facts.items() if value}
    times = {"queue_ms": spent.queue_ns, "infer_ms": spent.infer_ns, "total_ms": spent.total_ns}
    return {
        **known,
        **{name: round(value * 1e-6, 3) for name, value in times.items()},
        "batch_rows": spent.batch_rows,
    }


def _sentence(record: Record) -> str:
    said = record.error.message if record.error else "ok"
    return f"{record.route.target.model} {said} in {record.timings.total_ns * 1e-6:.2f} ms"


def _trace_id(traceparent: str) -> str:
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 else ""
