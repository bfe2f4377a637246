"""The administration without a server: a transport that answers requests in this process.

So the command line speaks to a home folder as it speaks to a server. Must not know the commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import Mapping
from pathlib import Path

import httpx
from sqlalchemy import URL

from sardonyx.client import Client
from sardonyx.client.exchange import authorities
from sardonyx.client.outbound import Outbound
from sardonyx.database import Database
from sardonyx.gateway.api import PREFIX, api
from sardonyx.gateway.operations import Administration
from sardonyx.monitor.book import Book
from sardonyx.monitor.needs import MissingLibraryError
from sardonyx.monitor.store import Store
from sardonyx.monitor.watch import Baselines, Watch
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import SCOPES
from sardonyx.registry.artefacts import ArtefactStore
from sardonyx.registry.fetching import Fetching


def client_inside(home: Path, database: str = "", artefacts: str = "") -> Client:
    """A client of the registry in a home folder, with the rights of whoever may write there."""
    url = database or URL.create("sqlite", database=str(home / "sardonyx.db"))
    store = ArtefactStore(artefacts or home / "artefacts", home / "work")
    fetching = Fetching(paths=True, stores=("",), outbound=Outbound(private=True))
    opened = Database(url)
    administration = Administration(opened, store, fetching)
    with contextlib.suppress(MissingLibraryError):
        administration.monitors = Watch(Book(opened), Store(home / "payload"), Baselines(home / "baselines"))
    application = api(administration, _Owner())
    return Client(
        "http://localhost",
        timeout_s=None,
        verify=authorities(),
        transport=_Inside(httpx.ASGITransport(application, root_path=PREFIX), opened),
        shares_files=True,
    )


class _Owner:
    """Whoever may write to the home folder may do everything."""

    def admit(self, headers: Mapping[str, str], action: str, model: str) -> Principal:
        """The user of this machine."""
        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = "unknown"
        return Principal(f"{name} on this machine", frozenset(SCOPES))


class _Inside(httpx.BaseTransport):
    def __init__(self, inner: httpx.ASGITransport, database: Database) -> None:
        self._inner = inner
        self._database = database

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answer() -> httpx.Response:
            response = await self._inner.handle_async_request(request)
            content = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=content)

        return asyncio.run(answer())

    def close(self) -> None:
        self._database.close()
