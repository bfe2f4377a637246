"""`sardonyx serve` as a process: the server with everything beside it, until a signal ends it.

Decides what is put together; must not know how any part works.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.server import Server


async def serve(
    model: Path, name: str, options: ServeOptions, announce: Callable[[Server], None] = lambda server: None
) -> None:
    """Serve a model file or a folder until SIGINT or SIGTERM; `announce` is called once all is ready."""
    core = Core(FolderSource(model, name), options)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with Server(core, options) as server:
        announce(server)
        await ended.wait()
