"""A form made from a signature: how each input is asked for, and what of it becomes a tensor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.ask import AskPages
from sardonyx.gateway.console.pages.models import ModelPages
from tests.unit.gateway.console.browsing import Browser, visited
from tests.unit.serve.steps import adding

ECHO = "def run(t, k):\n    return {'t2': t, 'k2': k}\n"
ECHO_CONFIG = """
input [ { name: "t" data_type: TYPE_STRING dims: [ -1 ] },
  { name: "k" data_type: TYPE_INT64 dims: [ -1, -1 ] } ]
output [ { name: "t2" data_type: TYPE_STRING dims: [ -1 ] },
  { name: "k2" data_type: TYPE_INT64 dims: [ -1, -1 ] } ]
"""


def pages(desk: Desk) -> dict[str, Any]:
    made = AskPages(desk, ModelPages(desk, asyncio.Event()))
    return {"GET /models/{model}/ask": made.form, "POST /models/{model}/ask": made.ask}


def test_few_numbers_have_a_cell_each(tmp_path: Path) -> None:
    adding(tmp_path / "models")

    async def use(browser: Browser) -> None:
        assert (await browser.get("/models/add/ask")).text.count('name="cell.a"') == 2
        data = [("cell.a", "1"), ("cell.a", ""), ("in.b", "[[4, 5]]")]
        token = browser.desk.sessions.token("a-browser")
        body = "&".join(f"{k}={v}" for k, v in [("forgery_token", token), *data])
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.client.post("/models/add/ask", content=body, headers=kind)
        assert answer.status_code == 200
        assert "curl http://console/v2/models/add/infer" in answer.text

    visited(tmp_path, pages, use)


def test_texts_are_lines_and_the_answer_may_come_alone(tmp_path: Path) -> None:
    adding(tmp_path / "models", "echo", ECHO, ECHO_CONFIG)

    async def use(browser: Browser) -> None:
        browser.client.headers["x-fragment"] = "1"
        answer = await browser.submit("/models/echo/ask", **{"in.t": "one\r\ntwo <b>", "in.k": "[[1, 2]]"})
        assert "<html" not in answer.text
        for text in ("one", "two &lt;b&gt;"):
            assert text in answer.text

    visited(tmp_path, pages, use)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"in.a": "[[1, 2]]"}, "there is nothing for the input &#39;b&#39; yet"),
        ({"in.a": "[[1, 2]]", "in.b": "[[1], [2, 3]]"}, "is not a JSON list of numbers"),
        ({"in.a": "[[1, 2]]", "in.b": "nonsense"}, "is not a JSON list of numbers"),
        ({"in.a": "[[1, 2]]", "cell.b": "x"}, "&#39;x&#39; is not a number for the input &#39;b&#39;"),
        ({"in.a": "[[1, 2, 3]]", "in.b": "[[1, 2]]"}, "add"),
    ],
)
def test_what_is_no_input_is_told_on_the_page(tmp_path: Path, fields: dict[str, str], message: str) -> None:
    adding(tmp_path / "models")

    async def use(browser: Browser) -> None:
        answer = await browser.submit("/models/add/ask", **fields)
        assert (answer.status_code, message in answer.text) == (200, True), answer.text

    visited(tmp_path, pages, use)


def test_random_numbers_may_be_asked_for(tmp_path: Path) -> None:
    adding(tmp_path / "models")

    async def use(browser: Browser) -> None:
        answer = await browser.submit("/models/add/ask", **{"in.a": "random", "in.b": "Random"})
        assert "curl " in answer.text
        assert (await browser.get("/models/none/ask")).status_code == 404

    visited(tmp_path, pages, use)
