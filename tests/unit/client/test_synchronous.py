"""Every call of the client is the request that it should be, and refusals, pauses and files are handled."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest

from sardonyx.client import synchronous
from sardonyx.client.asynchronous import AsyncClient
from sardonyx.client.synchronous import Client
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import File
from tests.unit.client.calls import MODEL, OF_ENDPOINTS, OF_MODELS, VERSION, Call, Server

ANSWER = {"model_name": "a", "outputs": [{"name": "y", "shape": [1], "datatype": "INT32", "data": [7]}]}
TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'


def client(handler: Any, **options: Any) -> Client:
    return Client("http://s", "secret", transport=httpx.MockTransport(handler), **options)


@pytest.mark.parametrize("row", [*OF_MODELS, *OF_ENDPOINTS], ids=lambda row: f"{row.name}{row.given}")
def test_every_call(row: Call) -> None:
    server = Server(row.answer)
    with client(server) as asked:
        assert getattr(asked, row.name)(*row.given, **row.named) == row.answer
    server.was_asked(row)
    assert server.asked[0].headers["authorization"] == "Bearer secret"


def test_both_clients_can_do_the_same() -> None:
    names = {name for name in vars(Client) if not name.startswith("_")} - {"close"}
    assert names == {name for name in vars(AsyncClient) if not name.startswith("_")} - {"aclose"}
    for name in names:
        given, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert given.parameters.keys() == other.parameters.keys()


def test_inference() -> None:
    server = Server(ANSWER)
    with client(server) as asked:
        answer = asked.infer("a", {"x": [1.5]}, version="2", outputs=["y"], headers={"x-user": "u"})
    (request,) = server.asked
    assert answer["y"].tolist() == [7]
    assert request.url.path == "/v2/models/a/versions/2/infer"
    assert request.headers["content-type"] == "application/octet-stream" and request.headers["x-user"] == "u"
    border = int(request.headers[synchronous.HEADER])
    assert (
        request.content[border:] == np.float32([1.5]).tobytes() and b'"id":' not in request.content[:border]
    )


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda asked: asked.live(), "/v2/health/live"),
        (lambda asked: asked.ready(), "/v2/health/ready"),
        (lambda asked: asked.ready("a"), "/v2/models/a/ready"),
        (lambda asked: asked.ready("a", "1"), "/v2/models/a/versions/1/ready"),
    ],
)
def test_health(call: Any, path: str) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    server = Server()
    assert call(client(server)) and server.asked[0].url.path == path
    assert not call(client(Server(status=503))) and not call(client(broken))


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_KEY", "of the environment")
    server = Server(MODEL)
    Client("http://s", transport=httpx.MockTransport(server)).model("a")
    client(server).model("a")
    keys = [request.headers["authorization"] for request in server.asked]
    assert keys == ["Bearer of the environment", "Bearer secret"]


def test_what_may_succeed_later_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(synchronous.time, "sleep", paused.append)
    answers = [
        httpx.Response(503, headers={"retry-after": "1.5"}),
        httpx.Response(200, content=b'{"name": "me"}'),
    ]
    assert client(lambda request: answers.pop(0)).identity().name == "me"
    assert paused == [1.5]

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    with pytest.raises(ServeError, match="http://s does not answer: down") as told:
        client(broken, retries=1).identity()
    assert told.value.code is Code.UNAVAILABLE and paused == [1.5, 0.2]
    with pytest.raises(ServeError, match="the server answered 404"):
        client(Server(status=404)).delete_model("a")


def test_a_file_is_uploaded_or_read_there(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    np.savez(tmp_path / "s.npz", x=np.ones(2))
    server = Server(VERSION)
    assert client(server).register("a", path, samples=tmp_path / "s.npz") == VERSION
    form = server.asked[0].read()
    assert (
        b'filename="model.onnx"' in form and b'filename="samples.npz"' in form and path.read_bytes() in form
    )
    assert b'"samples":""' in form
    client(server, shares_files=True).register("a", path)
    assert server.asked[1].headers["content-type"] == "application/json"
    assert str(path).encode() in server.asked[1].content


def test_files_of_a_version_are_written(tmp_path: Path) -> None:
    version = synchronous.msgspec.structs.replace(
        VERSION,
        files=[
            File(path="model.onnx", sha256="", size_bytes=3),
            File(path="data/w b", sha256="", size_bytes=1),
        ],
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/@best"):
            return httpx.Response(200, content=synchronous.msgspec.json.encode(version))
        assert "/versions/1/files/" in request.url.path
        return httpx.Response(200, content=request.url.raw_path.rpartition(b"/files/")[2])

    assert client(answer).download("a", "@best", tmp_path / "new") == version
    assert (tmp_path / "new" / "model.onnx").read_bytes() == b"model.onnx"
    assert (tmp_path / "new" / "data" / "w b").read_bytes() == b"data/w%20b"

    def refuse(request: httpx.Request) -> httpx.Response:
        is_file = "/files/" in request.url.path
        return httpx.Response(404, content=b'{"error": "no such file"}') if is_file else answer(request)

    with pytest.raises(ServeError, match="no such file"):
        client(refuse).download("a", "@best", tmp_path)
