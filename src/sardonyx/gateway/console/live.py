"""The stream of seconds that live pages draw: server-sent events, one a second.

Decides which numbers a second has. Must not know how they are drawn.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from sardonyx.gateway.console.parts import Parts
from sardonyx.gateway.console.view import duration_text, number_text, percent_text
from sardonyx.monitor.live import Second, total

SPAN_S = 300
RECENT_S = 60
_LATEST_S = 10


def point(second: Second) -> dict[str, Any]:
    """One second as the charts take it: rates, and times in milliseconds; null where nothing happened."""
    answered = second.requests
    return {
        "at": second.at,
        "ok": answered,
        "failed": second.failures,
        "p50": _ms(second.quantile_s(0.5)),
        "p95": _ms(second.quantile_s(0.95)),
        "p99": _ms(second.quantile_s(0.99)),
        "queue": round(second.queue_ns / answered * 1e-6, 4) if answered else None,
        "infer": round(second.infer_ns / answered * 1e-6, 4) if answered else None,
        "batch": round(second.rows / second.executions, 3) if second.executions else None,
    }


def tiles(parts: Parts, model: str = "", version: str = "") -> dict[str, str]:
    """The numbers above the charts, over the last ten seconds and the last minute."""
    seconds = parts.monitoring.live.seconds(RECENT_S, model, version)
    latest, minute = total(seconds[-_LATEST_S:]), total(seconds)
    asked = minute.requests + minute.failures
    waiting = sum(m.depth for m in parts.core.repository.loaded(model, version))
    return {
        "rate": number_text(latest.requests / _LATEST_S),
        "p50": duration_text(minute.quantile_s(0.5)),
        "p95": duration_text(minute.quantile_s(0.95)),
        "failed": percent_text(minute.failures / asked if asked else math.nan),
        "waiting": number_text(waiting),
        "batch": number_text(minute.rows / minute.executions if minute.executions else math.nan),
    }


def row(parts: Parts, model: str, version: str = "") -> dict[str, Any]:
    """A line of a table of models: rate, latency, failures, and a minute in small."""
    seconds = parts.monitoring.live.seconds(RECENT_S, model, version)
    minute = total(seconds)
    asked = minute.requests + minute.failures
    texts = {
        "rate": number_text(sum(s.requests for s in seconds[-_LATEST_S:]) / _LATEST_S),
        "p95": duration_text(minute.quantile_s(0.95)),
        "failed": percent_text(minute.failures / asked if asked else math.nan),
        "queue": number_text(sum(m.depth for m in parts.core.repository.loaded(model, version))),
    }
    return {"texts": texts, "spark": [s.requests for s in seconds[::2]]}


async def stream(
    parts: Parts, closing: asyncio.Event, rows: Iterable[tuple[str, str, str]], model: str, version: str
) -> AsyncIterator[bytes]:
    """The events of one browser until it leaves or the server does; `rows` are (key, model, version)."""
    known = tuple(rows)
    past = [point(s) for s in parts.monitoring.live.seconds(SPAN_S, model, version)]
    yield b"retry: 1000\n" + _event("past", past)
    while not closing.is_set():
        second = parts.monitoring.live.seconds(1, model, version)[0]
        yield _event(
            "now",
            {
                "second": point(second),
                "tiles": tiles(parts, model, version),
                "rows": {key: row(parts, name, number) for key, name, number in known},
            },
        )
        try:
            async with asyncio.timeout(1.0):
                await closing.wait()
        except TimeoutError:
            continue


def _event(name: str, data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


def _ms(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1e3, 4)
