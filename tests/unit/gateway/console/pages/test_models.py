"""The pages of models: which there are, one of them, its life, and what the head of its pages needs."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.listed import SIZE
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.protocol.errors import ServeError
from tests.unit.gateway.console.browsing import Browser, visited
from tests.unit.serve.steps import ADD_CONFIG, adding


def pages(desk: Desk) -> dict[str, Any]:
    made = ModelPages(desk, asyncio.Event())
    return {
        "GET /": made.overview,
        "GET /models": made.models,
        "GET /models/{model}": made.model,
        "POST /models/{model}": made.act,
    }


def test_models_are_listed_and_shown(tmp_path: Path) -> None:
    adding(tmp_path / "models")
    adding(tmp_path / "models", "broken", program="1 / 0")

    async def use(browser: Browser) -> None:
        for path in ("/", "/models"):
            text = (await browser.get(path)).text
            assert "add" in text
            assert "broken" in text
        page = await browser.get("/models/add")
        assert page.status_code == 200
        assert "sum" in page.text
        assert "ZeroDivisionError" in (await browser.get("/models/broken")).text
        assert (await browser.get("/models/none")).status_code == 404

    visited(tmp_path, pages, use)


def test_a_long_list_is_shown_in_parts_and_filtered(tmp_path: Path) -> None:
    for number in range(SIZE + 10):
        adding(tmp_path / "models", f"add{number:03}", program="1 / 0")
    adding(tmp_path / "models", "plus")

    def rows(text: str) -> list[str]:
        return re.findall(r'data-row="(\w+)"', text)

    async def use(browser: Browser) -> None:
        first = (await browser.get("/models")).text
        assert len(rows(first)) == SIZE
        assert f"1 to {SIZE} of {SIZE + 11}" in first
        [after] = re.findall(r'href="(\S+)" rel="next"', first)
        second = (await browser.get(after)).text
        assert len({*rows(first), *rows(second)}) == SIZE + 11
        assert 'rel="prev"' in second and 'rel="next"' not in second
        assert len(rows((await browser.get("/models?find=ADD00&state=unready")).text)) == 10
        assert rows((await browser.get("/models?state=ready")).text) == ["plus"]
        assert "No model is like that" in (await browser.get("/models?find=<b>")).text
        overview = (await browser.get("/")).text
        assert len(rows(overview)) == SIZE
        assert f"All {SIZE + 11} models" in overview
        assert 'data-live="/live?part=1"' in overview

    visited(tmp_path, pages, use)


def test_the_newest_version_is_the_first(tmp_path: Path) -> None:
    adding(tmp_path / "models", config=ADD_CONFIG + "version_policy { all {} }")
    folder = tmp_path / "models/add"
    for version in ("2", "10"):
        shutil.copytree(folder / "1", folder / version)

    async def use(browser: Browser) -> None:
        text = (await browser.get("/models/add")).text
        assert re.findall(r'data-row="add:(\w+)"', text) == ["10", "2", "1"]

    visited(tmp_path, pages, use)


def test_a_model_is_unloaded_and_loaded_by_a_form(tmp_path: Path) -> None:
    adding(tmp_path / "models")

    async def use(browser: Browser) -> None:
        core = browser.desk.parts.core
        answer = await browser.submit("/models/add", act="unload")
        assert (answer.status_code, answer.headers["location"]) == (303, "/models/add")
        assert not core.ready("add")
        await browser.submit("/models/add", act="load")
        assert core.ready("add")
        assert (await browser.client.post("/models/add", data={"act": "unload"})).status_code == 403
        assert core.ready("add")

    visited(tmp_path, pages, use)


def test_what_the_head_of_a_page_needs(tmp_path: Path) -> None:
    adding(tmp_path / "models", "a b")

    async def use(browser: Browser) -> None:
        made = ModelPages(browser.desk, asyncio.Event())
        about = made.about("a b")
        assert (about["name"], about["path"], about["state"], about["tone"]) == (
            *("a b", "/models/a%20b", "READY", "good"),
        )
        with pytest.raises(ServeError, match="there is no model 'none'"):
            made.about("none")

    visited(tmp_path, pages, use)
