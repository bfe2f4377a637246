"""A server in the loop of a test, and a client beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of that server, without proxies."""
    async with httpx.AsyncClient(base_url=server.http_url, trust_env=False) as client:
        yield client
