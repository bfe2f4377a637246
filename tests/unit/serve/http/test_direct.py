"""Connections that read inference themselves: in pieces, one after the other, too large, too slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from sardonyx.serve.core import Core
from sardonyx.serve.http.app import DataPlane
from sardonyx.serve.http.direct import protocol_class
from tests.unit.serve.steps import adding, with_core

LARGE = 8 << 20
ROW = {"shape": [1, 2], "datatype": "FP32"}
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def body(*numbers: float) -> bytes:
    inputs = [{"name": name, **ROW, "data": list(numbers)} for name in ("a", "b")]
    return json.dumps({"inputs": inputs}).encode()


def head(length: int | str, path: str = "/v2/models/add/infer", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def asked(*numbers: float) -> bytes:
    content = body(*numbers)
    return head(len(content)) + content


async def answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """Status and document of the next answer."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    content = await reader.readexactly(length)
    return int(lines[0].split()[1]), json.loads(content or b"null")


def connected(root: Path, talk: Talk, **options: Any) -> None:
    """Run `talk` over a connection to a server of these protocols alone."""

    async def use(core: Core) -> None:
        plane = DataPlane(core)
        kind = protocol_class(plane, core.options)
        config = uvicorn.Config(plane, http=kind, ws="none", lifespan="off", log_config=None)
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        make: Any = config.http_protocol_class
        server = await loop.create_server(
            lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            server.close()

    with_core(adding(root), use, **options)


def sums(document: Any) -> Any:
    return document["outputs"][0]["data"]


def test_one_connection_asks_again_and_again(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in (1, 2, 3, 3):
            writer.write(asked(number, 5))
            status, document = await answer(reader)
            assert (status, sums(document)) == (200, [2 * number, 10])

    connected(tmp_path, talk)


@pytest.mark.parametrize("size", [1, 7, 90])
def test_a_request_may_come_in_pieces(tmp_path: Path, size: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = asked(1, 2)
        for start in range(0, len(whole), size):
            writer.write(whole[start : start + size])
            await asyncio.sleep(0)
        assert sums((await answer(reader))[1]) == [2, 4]

    connected(tmp_path, talk)


def test_requests_that_come_together_are_answered_in_their_order(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        live = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(asked(1, 1) + asked(2, 2) + live + asked(3, 3))
        found = [await answer(reader) for _ in range(4)]
        assert [sums(found[n][1]) for n in (0, 1, 3)] == [[2, 2], [4, 4], [6, 6]]
        assert found[2][1] == {"live": True}

    connected(tmp_path, talk)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head(9_999_999) + b" " * 2000, 413),
        (asked(1, 2).replace(b"/add/", b"/none/"), 404),
        (head(2) + b"{}", 400),
        (head(2, "/v2/models/add/infer/more") + b"{}", 404),
    ],
)
def test_what_is_refused(tmp_path: Path, request_: bytes, status: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_)
        found, document = await answer(reader)
        assert found == status
        assert document["error"]

    connected(tmp_path, talk, max_body_bytes=1000)


def test_a_body_of_chunks_goes_the_long_way(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = body(1, 2)
        start = head("X", transfer_encoding="chunked").replace(b"Content-Length: X\r\n", b"")
        writer.write(start + f"{len(content):x}\r\n".encode() + content + b"\r\n0\r\n\r\n")
        assert sums((await answer(reader))[1]) == [2, 4]

    connected(tmp_path, talk)


@pytest.mark.parametrize("begun", [b"", b"POST /v2/mod", head(100) + b"{"])
def test_who_says_nothing_more_is_not_waited_for(tmp_path: Path, begun: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await asyncio.wait_for(reader.read(), 10)
        assert reader.at_eof()

    connected(tmp_path, talk, client_s=0.1)


CLOSE = {"Connection": "close"}


def chunked(size: int) -> bytes:
    begin = head("X", transfer_encoding="chunked", **CLOSE).replace(b"Content-Length: X\r\n", b"")
    return begin + f"{size:x}\r\n".encode() + bytes(size)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head(LARGE) + bytes(LARGE), 413),
        (head(LARGE, **CLOSE) + bytes(LARGE), 413),
        (head(LARGE, "/v2/models/add/generate", **CLOSE) + bytes(LARGE), 413),
        (head(LARGE, "/v2/models/add/infer/more", **CLOSE) + bytes(LARGE), 404),
        (chunked(LARGE), 413),
        (head(2, x="y" * 300_000) + bytes(LARGE), 431),
        (b"nonsense\r\n" + bytes(LARGE), 400),
    ],
)
def test_who_writes_all_before_reading_gets_an_answer(tmp_path: Path, request_: bytes, status: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(request_), 1 << 16):
            writer.write(request_[start : start + (1 << 16)])
            await writer.drain()
        found, document = await answer(reader)
        assert found == status
        assert document["error"]
        assert await asyncio.wait_for(reader.read(), 10) == b""

    connected(tmp_path, talk, max_body_bytes=1000)


def test_who_only_writes_is_not_read_for_ever(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(1 << 40))
        assert (await answer(reader))[0] == 413
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(bytes(1 << 16))
                    await writer.drain()
                    await asyncio.sleep(0.01)

    connected(tmp_path, talk, max_body_bytes=1000, client_s=0.3)
