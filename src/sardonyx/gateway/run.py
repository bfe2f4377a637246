"""`sardonyx serve` as a process: the server with everything beside it, until a signal ends it.

Decides what the models that are named on the command line mean. Must not know how any part works.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sardonyx.client.outbound import Outbound
from sardonyx.gateway.gateway import Gateway
from sardonyx.gateway.options import GatewayOptions
from sardonyx.protocol.errors import invalid, not_found
from sardonyx.registry.fetching import Fetching
from sardonyx.serve.ending import ending_signals
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.memory import share_one_heap
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.repository import UNAVAILABLE


async def serve(
    models: Sequence[str],
    name: str,
    options: ServeOptions,
    gateway_options: GatewayOptions,
    announce: Callable[[Gateway], None] = lambda gateway: None,
) -> None:
    """Serve files, folders, URLs, registered models and endpoints until SIGINT, SIGTERM or SIGHUP.

    Without any, all of the registry is served. `announce` is called once all is ready. ServeError if a name
    is unknown, or nothing of a file, folder or URL can be served.
    """
    share_one_heap()
    sources, patterns = _sorted(models, name, gateway_options)
    chosen = replace(gateway_options, patterns=patterns)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, ended.set)
    gateway = Gateway(chosen, options, sources)
    _expect_registered(gateway, patterns)
    async with gateway:
        for source in sources:
            _expect_served(gateway, source)
        announce(gateway)
        await ended.wait()


def _sorted(
    models: Sequence[str], name: str, options: GatewayOptions
) -> tuple[list[FolderSource], tuple[str, ...]]:
    """The sources of what is a path or a URL, and the patterns of what the registry shall offer."""
    sources, patterns = [], []
    for model in models:
        if "://" in model:
            sources.append(FolderSource(_fetched(model, options), name))
        elif Path(model).exists():
            sources.append(FolderSource(Path(model), name))
        else:
            patterns.append(model)
    return sources, tuple(patterns) if patterns else ("*",)


def _fetched(url: str, options: GatewayOptions) -> Path:
    """The file or folder that a URL holds, downloaded anew each time; named by whoever starts the server."""
    into = options.home / "work" / "served" / hashlib.sha256(url.encode()).hexdigest()[:16]
    into.mkdir(parents=True, exist_ok=True)
    return Fetching(stores=("",), outbound=Outbound(private=True)).fetched(url, into)


def _expect_registered(gateway: Gateway, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        if pattern != "*" and not gateway.registered(pattern):
            raise not_found(f"{pattern!r} is neither a file or folder nor a registered model or endpoint")


def _expect_served(gateway: Gateway, source: FolderSource) -> None:
    names = {offer.name for offer in source.offers()}
    rows = [row for row in gateway.core.index() if row["name"] in names]
    if rows and all(row["state"] == UNAVAILABLE for row in rows):
        raise invalid(rows[0]["reason"])
