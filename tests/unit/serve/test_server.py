"""Listeners and their life; what is answered beside the data plane, and where nothing is."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from sardonyx.serve import server as module
from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server, loop_factory, tune_process
from tests.unit.serve.steps import adding

OPTIONS = ServeOptions(http_port=0, grpc_port=0, drain_s=1)


def made(root: Path, mounts: Any = None, **options: Any) -> Server:
    chosen = replace(OPTIONS, **options)
    return Server(Core(FolderSource(root), chosen), chosen, mounts)


async def told(scope: Any, receive: Any, send: Any) -> None:
    """An application that tells its root path."""
    body = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/admin", "/admin /admin"),
        ("/admin/models", "/admin /admin/models"),
        ("/admin/deep/x", "/admin/deep /admin/deep/x"),
        ("/", " /"),
        ("/administer", "there is nothing at /administer"),
        ("/v2x", "there is nothing at /v2x"),
        ("/docs", "/v2/docs describes it"),
        ("/v2/health/live", '"live":true'),
        ("/score/none", "/score/none takes POST, not GET"),
    ],
)
def test_the_longest_prefix_answers(tmp_path: Path, path: str, answer: str) -> None:
    application = made(tmp_path, {"/": told, "/admin": told, "/admin/deep/": told}).application

    async def ask() -> str:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get(path)).text

    assert answer in asyncio.run(ask())


def test_a_server_listens_while_its_block_runs(tmp_path: Path) -> None:
    adding(tmp_path)

    async def use() -> None:
        async with made(tmp_path) as server:
            assert server.http_url == f"http://127.0.0.1:{server.http_port}"
            assert server.grpc_url == f"grpc://127.0.0.1:{server.grpc_port}"
            async with httpx.AsyncClient(base_url=server.http_url, trust_env=False, verify=False) as client:
                assert (await client.get("/v2/models/add/ready")).json()["ready"]
            port = server.http_port
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), 1)

    asyncio.run(use())


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError,
            match=f"^127.0.0.1:{port} cannot be listened on: .*; choose another port with --http-port ",
        ):
            asyncio.run(made(tmp_path, http_port=port).start())


def test_what_fails_while_loading_stops_the_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = made(tmp_path)

    async def fail() -> None:
        raise RuntimeError("no models")

    async def use() -> None:
        monkeypatch.setattr(server.core, "start", fail)
        with pytest.raises(RuntimeError, match="no models"):
            await server.start()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.http_port), 1)

    asyncio.run(use())


def test_a_process_that_serves_is_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(module.gc, "freeze", lambda: said.setdefault("frozen", True))
    monkeypatch.setattr(module.gc, "set_threshold", lambda *numbers: said.setdefault("threshold", numbers))
    monkeypatch.setattr(sys, "setswitchinterval", lambda s: said.setdefault("switch_s", s))
    tune_process()
    assert said["frozen"]
    assert said["threshold"] > gc.get_threshold()
    assert said["switch_s"] < sys.getswitchinterval()


def test_a_fast_loop_is_taken_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    assert loop_factory() is uvloop.new_event_loop
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory() is None
