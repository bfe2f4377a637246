"""Kept requests: the newest first, answers to SQL, and what is not a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.requests import EXAMPLES, RequestPages
from tests.monitor.records import record
from tests.unit.gateway.console.browsing import Browser, visited


def pages(desk: Desk) -> dict[str, Any]:
    payload = desk.parts.monitoring.payload
    assert payload is not None
    long = np.array([b"x" * 200], object)
    payload.capture.observe(record({"x": np.float32([[1, 2]]), "t": long}, id="first"))
    payload.capture.observe(record({"x": np.arange(9.0).reshape(1, 9), "t": long}, id="second"))
    payload.flush()
    return {"GET /requests": RequestPages(desk).requests}


def test_the_newest_are_shown_and_every_example_has_an_answer(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        text = (await browser.get("/requests")).text
        assert "first" in text
        assert "second" in text
        assert "x" * 91 not in text
        assert "…" in text
        for _, sql in EXAMPLES:
            assert (await browser.get(f"/requests?model=m&sql={quote(sql)}")).status_code == 200

    visited(tmp_path, pages, use)


def test_wrong_sql_is_told_on_the_page(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        answer = await browser.get("/requests?sql=SELECT%20nonsense%20FROM%20requests")
        assert answer.status_code == 200
        assert "nonsense" in answer.text
        assert "Binder Error" in answer.text
        assert (await browser.get("/requests?model=none")).status_code == 400

    visited(tmp_path, pages, use)
