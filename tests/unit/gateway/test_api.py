"""The administration over HTTP: what a request must look like, and what refuses it before it acts."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from sardonyx.datasets import get_example
from sardonyx.gateway import api as module
from sardonyx.gateway.api import api, refusal
from sardonyx.gateway.operations import Administration
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from tests.unit.gateway.around import administration, entered


class Noting:
    """A guard that notes what it is asked; "forbidden" is."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        self.asked.append((action, model))
        if model == "forbidden":
            raise ServeError(Code.FORBIDDEN, "not for you")
        return Principal("tester")


@pytest.fixture
def made(tmp_path: Path) -> Administration:
    return administration(tmp_path / "home", watches=False)


def asked(made: Administration, method: str, path: str, guard: Any = None, **more: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(api(made, guard or Noting(), more.pop("changed", lambda: None)))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path, **more)

    return asyncio.run(ask())


def test_an_answer_is_json_that_nobody_keeps(made: Administration) -> None:
    entered(made, "digits")
    found = asked(made, "GET", "/models")
    assert [model["name"] for model in found.json()] == ["digits"]
    assert found.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in found.headers["content-security-policy"]


def test_a_change_is_told_and_a_question_is_not(made: Administration) -> None:
    told: list[str] = []
    asked(made, "GET", "/endpoints", changed=lambda: told.append("read"))
    found = asked(made, "POST", "/endpoints", json={"name": "shop"}, changed=lambda: told.append("made"))
    assert found.status_code < 300, found.text
    assert told == ["made"]


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "message"),
    [
        ("GET", "/nothing", {}, 404, "GET /nothing: there is nothing here"),
        ("PATCH", "/models", {}, 405, "PATCH /models"),
        ("GET", "/models?odd=1", {}, 400, "models has no parameter 'odd'"),
        ("POST", "/endpoints", {"content": b"{}"}, 400, "the body must be JSON"),
        ("POST", "/endpoints", {"json": {"nme": "x"}}, 400, "the body is not what NewEndpoint needs"),
        ("POST", "/endpoints", {"json": {"name": 3}}, 400, "the body is not what NewEndpoint needs"),
        ("GET", "/models/none", {}, 404, "none"),
        (
            "GET",
            "/models",
            {"headers": {"origin": "http://evil.example"}},
            403,
            "pages of http://evil.example",
        ),
        ("GET", "/models/forbidden", {}, 403, "not for you"),
    ],
)
def test_what_is_refused(
    made: Administration, method: str, path: str, more: dict[str, Any], status: int, message: str
) -> None:
    found = asked(made, method, path, **more)
    assert (found.status_code, message in found.json()["error"]) == (status, True), found.text


def test_a_body_beyond_the_limit_is_refused(made: Administration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_LIMIT", 10)
    found = asked(made, "POST", "/endpoints", json={"name": "a long name"})
    assert (found.status_code, found.json()["error"]) == (413, "the body is larger than 10 bytes")


def test_a_model_is_uploaded_with_its_samples(made: Administration) -> None:
    source = Path(get_example("mul_1.onnx"))
    x, samples = np.float32([[1, 2], [3, 4], [5, 6]]), io.BytesIO()
    np.savez(samples, X=x, Y=x * x)
    files = {"file": ("model.onnx", source.read_bytes()), "samples": ("s.npz", samples.getvalue())}
    form = {"registration": '{"description": "squares"}'}
    found = asked(made, "POST", "/models/mul/versions", files=files, data=form)
    assert found.status_code < 300, found.text
    assert (found.json()["description"], found.json()["version"]) == ("squares", "1")
    data = asked(made, "GET", "/models/mul/versions/1/files/model.onnx")
    assert data.content == source.read_bytes()
    assert asked(made, "GET", "/models/mul/versions/1/files/other").status_code == 404


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("../model.onnx", {}, "does not stay in its folder"),
        ("/model.onnx", {}, "does not stay in its folder"),
        ("a\\b.onnx", {}, "does not stay in its folder"),
        (".", {}, "does not stay in its folder"),
        ("a" * 256, {}, "is too long"),
        ("ü" * 128, {}, "is too long"),
        ("a/" * 600 + "b", {}, "is too long"),
        ("model.onnx", {"registration": "{"}, "'registration' is not a Registration"),
        ("model.onnx", {"registration": '{"tags": 3}'}, "'registration' is not a Registration"),
        ("model.onnx", {}, "not an ONNX model"),
    ],
)
def test_uploads_that_are_refused(
    made: Administration, name: str, form: dict[str, str], message: str
) -> None:
    found = asked(made, "POST", "/models/m/versions", files={"file": (name, b"no model")}, data=form)
    assert (found.status_code, message in found.json()["error"]) == (400, True), found.text


@pytest.mark.parametrize("names", ["a a/b", "a/b a", "a/b/c a", "m.onnx m.onnx", "m.onnx ./m.onnx"])
def test_uploaded_files_do_not_take_the_place_of_each_other(made: Administration, names: str) -> None:
    files = [("file", (name, b"no model")) for name in names.split()]
    found = asked(made, "POST", "/models/m/versions", files=files)
    assert (found.status_code, "has another file at or below" in found.json()["error"]) == (400, True)


def test_the_guard_is_asked_for_the_scope_of_the_operation(made: Administration) -> None:
    guard = Noting()
    asked(made, "GET", "/models/m", guard)
    assert guard.asked == [("metadata", "m")]


def test_a_refusal_says_when_to_come_again_and_how_to_log_in() -> None:
    assert refusal(ServeError(Code.UNAVAILABLE, "later", 1.2)).headers["retry-after"] == "2"
    answer = refusal(ServeError(Code.UNAUTHENTICATED, "who?"))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_the_text_for_tools(made: Administration) -> None:
    assert asked(made, "GET", "/openapi.json").json()["openapi"] == "3.1.0"
