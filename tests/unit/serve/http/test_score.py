"""/score: which model is meant, and plain JSON in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from sardonyx.protocol.errors import Code
from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.http.app import DataPlane
from sardonyx.serve.http.score import DEPLOYMENT, Score
from sardonyx.serve.seams import Record
from tests.unit.serve.http.asked import asked
from tests.unit.serve.steps import adding, with_core

DOCUMENT = {"a": [[1, 2]], "b": [[3, 4]]}


def answer(root: Path, path: str = "/score", method: str = "POST", **more: Any) -> httpx.Response:
    async def use(core: Core) -> httpx.Response:
        return await asked(Score(core), method, path, **more)

    return with_core(root, use)


def test_the_only_model_is_meant(tmp_path: Path) -> None:
    found = answer(adding(tmp_path), json=DOCUMENT)
    assert (found.status_code, found.json()) == (200, [[4.0, 6.0]])


@pytest.mark.parametrize(
    ("path", "headers"), [("/score/add", {}), ("/score/add/", {}), ("/score", {DEPLOYMENT: "add"})]
)
def test_among_several_one_is_named(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    adding(tmp_path)
    adding(tmp_path, "more")
    assert answer(tmp_path, path, json=DOCUMENT, headers=headers).status_code == 200
    found = answer(tmp_path, json=DOCUMENT)
    assert found.status_code == 400
    assert found.json()["error"].endswith("; there are: add, more")


@pytest.mark.parametrize(
    ("path", "method", "content", "status", "message"),
    [
        ("/score", "GET", b"", 405, "/score takes POST, not GET"),
        ("/score/none", "POST", b"{}", 404, "unknown model: 'none'"),
        ("/score", "POST", b"{", 400, ""),
        ("/score", "POST", b'{"c": 1}', 400, ""),
    ],
)
def test_what_is_refused(
    tmp_path: Path, path: str, method: str, content: bytes, status: int, message: str
) -> None:
    found = answer(adding(tmp_path), path, method, content=content)
    assert (found.status_code, message in found.json()["error"]) == (status, True)


def test_without_models_there_is_none_to_name(tmp_path: Path) -> None:
    assert answer(tmp_path, json=DOCUMENT).json()["error"].endswith("there are: none")


@pytest.mark.parametrize(
    ("application", "path"), [(Score, "/score/add"), (DataPlane, "/v2/models/add/generate")]
)
def test_observers_are_told_of_what_cannot_be_read(
    tmp_path: Path, application: Callable[[Core], Any], path: str
) -> None:
    told: list[Record] = []

    async def use(core: Core) -> httpx.Response:
        core.observers.append(SimpleNamespace(observe=told.append))
        return await asked(application(core), "POST", path, json={"c": 1})

    assert with_core(adding(tmp_path), use).status_code == 400
    (record,) = told
    assert record.error is not None and record.error.code is Code.INVALID_ARGUMENT
    assert (record.request.model, record.route.target.model, record.response) == ("add", "add", None)
    assert record.timings.total_ns > 0


def test_while_models_load_clients_are_told_to_come_again(tmp_path: Path) -> None:
    async def ask() -> httpx.Response:
        core = Core(FolderSource(adding(tmp_path)))
        return await asked(Score(core), "POST", "/score", json=DOCUMENT)

    found = asyncio.run(ask())
    assert (found.status_code, found.json()["error"]) == (503, "no model is ready yet")


@pytest.mark.parametrize(
    ("non_finite", "status", "text"),
    [("words", 200, "[[Infinity,2.0]]"), ("null", 200, "[[null,2.0]]"), ("error", 501, "Infinity")],
)
def test_numbers_that_json_lacks(tmp_path: Path, non_finite: str, status: int, text: str) -> None:
    async def use(core: Core) -> httpx.Response:
        return await asked(Score(core), "POST", "/score", content='{"a": [[Infinity, 1]], "b": [[1, 1]]}')

    reply = with_core(adding(tmp_path), use, non_finite=non_finite)
    assert reply.status_code == status
    assert text in reply.text
