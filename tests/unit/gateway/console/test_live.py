"""The seconds that live pages draw: numbers where something happened, nothing where not."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from sardonyx.gateway.console import live
from sardonyx.monitor.live import Second
from sardonyx.protocol.errors import Code
from tests.monitor.records import record
from tests.unit.gateway.console.browsing import Browser, visited
from tests.unit.serve.steps import adding


def test_a_second_without_requests_has_no_times() -> None:
    found = live.point(Second(at=7))
    assert (found["at"], found["ok"], found["failed"]) == (7, 0, 0)
    assert [found[name] for name in ("p50", "p95", "queue", "infer", "batch")] == [None] * 5


def test_rates_shares_and_rows(tmp_path: Path) -> None:
    adding(tmp_path / "models")

    async def use(browser: Browser) -> None:
        parts, then = browser.desk.parts, time.time() - 2
        for code in (None, None, None, Code.INTERNAL):
            parts.monitoring.observe(
                record(model="add", code=code, total_ns=4_000_000, batch_rows=2, finished_s=then)
            )
        tiles = live.tiles(parts, "add")
        assert (tiles["failed"], tiles["waiting"]) == ("25.0 %", "0")
        line = live.row(parts, "add")
        assert sum(line["spark"]) in (0, 3)
        assert line["texts"]["failed"] == "25.0 %"
        assert live.tiles(parts, "other")["failed"] != "25.0 %"

    visited(tmp_path, lambda desk: {}, use)


def test_the_stream_begins_with_the_past_and_ends_when_it_is_told(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        closing = asyncio.Event()
        events = live.stream(browser.desk.parts, closing, [("k", "add", "")], "", "")
        first = (await anext(events)).decode()
        assert first.startswith("retry: 1000\nevent: past\ndata: ")
        assert len(_data(first)) == live.SPAN_S
        now = (await anext(events)).decode()
        assert set(_data(now)) == {"second", "tiles", "rows"}
        assert list(_data(now)["rows"]) == ["k"]
        closing.set()
        assert [event async for event in events] == []

    visited(tmp_path, lambda desk: {}, use)


def _data(event: str) -> Any:
    return json.loads(event.split("data: ", 1)[1])
