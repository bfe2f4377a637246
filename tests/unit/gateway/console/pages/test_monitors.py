"""What a form of a monitor becomes, what can be done with one, and what its page shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.monitors import KINDS, MonitorPages
from tests.monitor.records import record
from tests.unit.gateway.console.browsing import Browser, visited

FORM = {
    "name": "watch",
    "model": "m",
    "kind": "service",
    "metric": "error_rate",
    "threshold.error_rate": "0.25",
    "min_rows": "2",
    "email": "me@example.org",
    "columns": "in.x, out.*",
}


def pages(desk: Desk) -> dict[str, Any]:
    made = MonitorPages(desk)
    payload = desk.parts.monitoring.payload
    assert payload is not None
    for number in range(4):
        finished_s = time.time() - 60
        payload.capture.observe(record({"x": np.float32([[number]])}, id=f"{number}", finished_s=finished_s))
    payload.flush()
    return {
        "GET /monitors": made.monitors,
        "POST /monitors": made.create,
        "GET /monitors/new": made.new,
        "GET /monitors/{monitor}": made.monitor,
        "POST /monitors/{monitor}/{act}": made.act,
        "GET /alerts": made.alerts,
        "POST /alerts/{number:int}/acknowledge": made.acknowledge,
    }


def test_a_monitor_is_made_run_paused_and_removed(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        answer = await browser.submit("/monitors", **FORM)
        assert answer.headers.get("location") == "/monitors/watch", answer.text
        watch = browser.desk.parts.monitoring.watch
        assert watch is not None
        made = watch.book.get("watch")
        assert (made.thresholds, made.min_rows, made.columns) == ({"error_rate": 0.25}, 2, ["in.x", "out.*"])
        assert [notice.email for notice in made.notify] == ["me@example.org"]
        assert made.state == "ok"
        page = await browser.get("/monitors/watch")
        assert page.status_code == 200
        assert "error_rate" in page.text
        assert "watch" in (await browser.get("/monitors")).text
        await browser.submit("/monitors/watch/pause")
        assert not watch.book.get("watch").enabled
        await browser.submit("/monitors/watch/resume")
        assert watch.book.get("watch").enabled
        await browser.submit("/monitors/watch/run")
        assert len(watch.book.runs("watch", 9)) == 2
        wrong = await browser.submit("/monitors/watch/burn")
        assert (wrong.status_code, wrong.text) == (404, "'burn' is not an action of a monitor")
        gone = await browser.submit("/monitors/watch/remove")
        assert gone.headers["location"] == "/monitors"
        assert (await browser.get("/monitors/watch")).status_code == 404

    visited(tmp_path, pages, use)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"threshold.error_rate": "high"}, "the threshold of error_rate: 'high' is not a number"),
        ({"min_rows": "nan"}, "the rows: 'nan' is not a number"),
        ({"metric": "psi"}, "'psi' is not a metric of service"),
        ({"lookback": "long"}, "'long'"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    async def use(browser: Browser) -> None:
        answer = await browser.submit("/monitors", **{**FORM, **changed})
        assert (answer.status_code, message in answer.text) == (400, True), answer.text

    visited(tmp_path, pages, use)


def test_every_kind_has_a_form(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        for kind in KINDS:
            assert (await browser.get(f"/monitors/new?kind={kind}&model=m")).status_code == 200
        assert (await browser.get("/monitors/new?kind=odd")).text == "there is no kind of monitor 'odd'"
        assert (await browser.get("/alerts")).status_code == 200
        assert (await browser.submit("/alerts/7/acknowledge")).status_code == 404

    visited(tmp_path, pages, use)
