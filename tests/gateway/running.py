"""A gateway on free ports in a loop of its own thread, so that tests ask it as any client does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sardonyx.client import Client
from sardonyx.client.content import content_of
from sardonyx.gateway.gateway import Gateway
from sardonyx.gateway.options import GatewayOptions
from sardonyx.protocol.records import Registration, Signature, Version
from sardonyx.registry.checks import Examination
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions, Tls
from tests.homes import prepared


@contextmanager
def running(
    home: Path, sources: Sequence[Path] = (), tls: Tls | None = None, **options: Any
) -> Iterator[Gateway]:
    """A gateway over the registry in `home` and model folders; trusting until there is a key."""
    folder = home if "database" in options else prepared(home)
    chosen = GatewayOptions(home=folder, **{"trusted": True, **options})
    ready: list[Any] = []
    started = threading.Event()

    async def serve() -> None:
        ended = asyncio.Event()
        try:
            serving = ServeOptions(http_port=0, grpc_port=0, tls=tls)
            async with Gateway(chosen, serving, [FolderSource(path) for path in sources]) as gateway:
                ready.extend((gateway, asyncio.get_running_loop(), ended))
                started.set()
                await ended.wait()
        except BaseException as error:
            ready.append(error)
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(60)
    if isinstance(ready[-1], BaseException):
        thread.join()
        raise ready[-1]
    gateway, loop, ended = ready
    try:
        yield gateway
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
        assert not thread.is_alive()


def entered(gateway: Gateway, model: str, path: Path, **options: Any) -> Version:
    """Register a model file without the time that its checks would take."""
    catalog, store = gateway.administration.catalog, gateway.store
    registration, examination = Registration(source="test", **options), Examination(Signature(), ())
    content = content_of(path)
    version = catalog.add_version(model, registration, examination, lambda: store.put(content), "test")
    gateway._changed()
    return version


def client_of(gateway: Gateway, key: str | None = None, **options: Any) -> Client:
    """A client of that gateway."""
    return Client(gateway.server.http_url, key, **options)
