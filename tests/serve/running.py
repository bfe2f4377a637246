"""A server in the loop of a test, and a client beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server


@asynccontextmanager
async def running(models: Path, options: ServeOptions | None = None, **core: Any) -> AsyncIterator[Server]:
    """A server of the models at a path, on free ports."""
    chosen = replace(options or ServeOptions(), http_port=0, grpc_port=0)
    async with Server(Core(FolderSource(models), chosen, **core), chosen) as server:
        yield server


@contextmanager
def background(models: Path, options: ServeOptions | None = None) -> Iterator[httpx.Client]:
    """A client of a server that runs in a loop of another thread."""
    up, down = threading.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with running(models, options) as server:
            urls.append(server.http_url)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(60)
        with httpx.Client(base_url=urls[0], trust_env=False, verify=False, timeout=60) as client:
            yield client
    finally:
        down.set()
        thread.join()


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of that server, without proxies."""
    async with httpx.AsyncClient(
        base_url=server.http_url, trust_env=False, verify=False, timeout=60
    ) as client:
        yield client
