"""The paths beside inference: who answers what, and which questions are none."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.serve.core import Core
from sardonyx.serve.http.exchange import refuse
from sardonyx.serve.http.questions import ROUTES, answer, method_has_body
from tests.unit.serve.http.asked import asked
from tests.unit.serve.steps import adding, with_core


def told(
    root: Path, method: str, path: str, client: tuple[str, int] | None = None, **more: Any
) -> httpx.Response:
    """The answer of the paths alone."""

    async def use(core: Core) -> httpx.Response:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            if client is not None:
                scope["client"] = client
            try:
                await answer(core, scope, receive, send, scope["raw_path"])
            except ServeError as error:
                await refuse(send, error, scope)

        return await asked(application, method, path, **more)

    return with_core(root, use)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return adding(tmp_path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["add"]}),
        ("/v2/models/add/ready", {"name": "add", "ready": True}),
        ("/v2/systemsharedmemory/status", []),
    ],
)
def test_short_answers(root: Path, path: str, expected: Any) -> None:
    found = told(root, "GET", path)
    assert (found.status_code, found.json()) == (200, expected)


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ("/v2", "name", "sardonyx"),
        ("/v2/", "name", "sardonyx"),
        ("/v2/models/add", "versions", ["1"]),
        ("/v2/models/add/versions/1/config", "max_batch_size", 4),
        ("/v2/docs/dataplane.json", "openapi", "3.1.0"),
    ],
)
def test_documents(root: Path, path: str, key: str, value: Any) -> None:
    assert told(root, "GET", path).json()[key] == value


def test_a_page_for_readers(root: Path) -> None:
    assert told(root, "GET", "/v2/docs").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/v2/nothing", None, 404, "there is nothing at /v2/nothing"),
        ("PUT", "/v2/health/live", None, 405, "/v2/health/live takes GET, not PUT"),
        ("POST", "/v2/repository/index", [1], 400, "the request must be a JSON object"),
        ("GET", "/v2/models/none/config", None, 404, "unknown model: 'none'"),
        ("POST", "/v2/repository/models/add/load", {"parameters": 3}, 400, "'parameters' must be an object"),
        (
            *("POST", "/v2/repository/models/add/load", {"parameters": {"config": 3}}, 400),
            "parameter 'config' must be a string",
        ),
        (
            *("POST", "/v2/repository/models/add/load", {"parameters": {"odd": "x"}}, 400),
            "parameter 'odd' is unknown; 'config' and 'file:PATH' are known",
        ),
        (
            *("POST", "/v2/repository/models/add/load", {"parameters": {"file:1/m.onnx": "%"}}, 400),
            "parameter 'file:1/m.onnx' is not base64",
        ),
        (
            *("POST", "/v2/systemsharedmemory/region/r/register", {"key": 3}, 400),
            "shared memory needs 'key' (text)",
        ),
    ],
)
def test_questions_that_are_none(
    root: Path, method: str, path: str, body: Any, status: int, message: str
) -> None:
    found = told(root, method, path, **({} if body is None else {"json": body}))
    assert (found.status_code, message in found.json()["error"]) == (status, True)


def test_shared_memory_is_named_from_this_machine_only(root: Path) -> None:
    path = "/v2/systemsharedmemory/region/r/register"
    found = told(root, "POST", path, client=("10.0.0.9", 1), json={"key": "k", "byte_size": 1})
    assert (found.status_code, "from the server's machine only" in found.text) == (403, True)
    assert told(root, "POST", path, client=("::1", 1), json={"key": "k", "byte_size": 1}).status_code != 403


def test_a_model_is_loaded_from_what_is_sent_and_unloaded(root: Path) -> None:
    found = told(root, "POST", "/v2/repository/models/add/unload", json={})
    assert (found.status_code, found.content) == (200, b"")
    data = base64.b64encode(b"no model").decode()
    parameters = {"config": '{"max_batch_size": 1}', "file:1/model.onnx": data}
    found = told(root, "POST", "/v2/repository/models/new/load", json={"parameters": parameters})
    assert (found.status_code, "failed to load 'new'" in found.json()["error"]) == (400, True)


def test_the_index_may_be_of_ready_ones(root: Path) -> None:
    adding(root, "bad", program="1 / 0")
    for body, names in (({}, ["add", "bad"]), ({"ready": True}, ["add"])):
        found = told(root, "POST", "/v2/repository/index", json=body)
        assert [row["name"] for row in found.json()] == names


def test_plain_json_is_generated_from(root: Path) -> None:
    body = {"a": [1, 2], "b": [3, 4]}
    found = told(root, "POST", "/v2/models/add/generate", json=body)
    assert (found.status_code, found.json()["sum"]) == (200, [4, 6])
    events = told(root, "POST", "/v2/models/add/generate_stream", json=body)
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text.count("data: ") == 1


class Nobody:
    """A guard that notes what it is asked, and refuses."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        self.asked.append((action, model))
        return Principal()


def test_the_guard_is_asked_for_what_a_path_does(root: Path) -> None:
    guard = Nobody()

    async def use(core: Core) -> None:
        core.guard = guard

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await answer(core, scope, receive, send, scope["raw_path"])

        await asked(application, "GET", "/v2/health/live")
        await asked(application, "GET", "/v2/models/a%64d/config")
        await asked(application, "POST", "/v2/repository/models/add/unload", json={})

    with_core(root, use)
    assert guard.asked == [("metadata", "add"), ("repository", "add")]


def test_every_path_has_one_who_answers() -> None:
    assert len({(route.method, route.path.pattern) for route in ROUTES}) == len(ROUTES)
    assert method_has_body("POST")
    assert not method_has_body("GET")
