"""Every call of the asynchronous client is the request that it should be; it waits without blocking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from sardonyx.client import asynchronous
from sardonyx.client.asynchronous import AsyncClient
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import File
from tests.unit.client.calls import OF_ENDPOINTS, OF_MODELS, VERSION, Call, Server

T = TypeVar("T")


def ask(handler: Any, work: Callable[[AsyncClient], Awaitable[T]], **options: Any) -> T:
    """What comes of some work with a client whose requests `handler` answers."""

    async def main() -> T:
        async with AsyncClient(
            "http://s", "secret", transport=httpx.MockTransport(handler), **options
        ) as client:
            return await work(client)

    return asyncio.run(main())


@pytest.mark.parametrize("row", [*OF_MODELS, *OF_ENDPOINTS], ids=lambda row: f"{row.name}{row.given}")
def test_every_call(row: Call) -> None:
    server = Server(row.answer)
    assert ask(server, lambda client: getattr(client, row.name)(*row.given, **row.named)) == row.answer
    server.was_asked(row)
    assert server.asked[0].headers["authorization"] == "Bearer secret"


def test_health() -> None:
    server = Server()
    assert ask(server, lambda client: client.live()) and ask(server, lambda client: client.ready("a", "1"))
    assert [request.url.path for request in server.asked] == [
        "/v2/health/live",
        "/v2/models/a/versions/1/ready",
    ]
    assert not ask(Server(status=400), lambda client: client.ready())


def test_others_go_on_while_one_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    monkeypatch.setattr(asynchronous.asyncio, "sleep", sleep)
    with pytest.raises(ServeError, match="http://s does not answer: down") as told:
        ask(broken, lambda client: client.identity(), retries=2)
    assert (told.value.code, paused) == (Code.UNAVAILABLE, [0.2, 0.4])


def test_files_of_a_version_are_written(tmp_path: Path) -> None:
    version = asynchronous.msgspec.structs.replace(VERSION, files=[File(path="d/w", sha256="", size_bytes=3)])

    def answer(request: httpx.Request) -> httpx.Response:
        whole = asynchronous.msgspec.json.encode(version)
        return httpx.Response(200, content=b"abc" if request.url.path.endswith("/files/d/w") else whole)

    assert ask(answer, lambda client: client.download("a", "1", tmp_path)) == version
    assert (tmp_path / "d" / "w").read_bytes() == b"abc"
