"""A browser of single pages, without a server: their handlers on a desk of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sardonyx.gateway.console.access import COOKIE, TOKEN
from sardonyx.gateway.console.desk import Desk, NavigationEntry
from sardonyx.gateway.console.parts import Parts
from sardonyx.monitor.capture import Collection
from sardonyx.monitor.monitoring import Monitoring, MonitorOptions
from sardonyx.protocol.errors import ServeError
from sardonyx.serve.core import Core
from sardonyx.serve.folder import FolderSource
from sardonyx.serve.seams import Guard, OpenGuard
from tests.unit.gateway.around import administration

NAME = "a-browser"
ENTRIES = (
    NavigationEntry("models", "Models", "/models", "model"),
    NavigationEntry("keys", "Keys", "/keys", "key", "admin"),
)


@dataclass
class Browser:
    """Asks pages as a browser with a cookie does."""

    desk: Desk
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as a page would."""
        return await self.client.post(path, data={TOKEN: self.desk.sessions.token(NAME), **fields})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServeError)
    return PlainTextResponse(error.message, error.code.http)


def visited(
    root: Path,
    pages: Callable[[Desk], dict[str, Any]],
    use: Callable[[Browser], Awaitable[None]],
    guard: Guard | None = None,
) -> None:
    """Run `use` with a browser of the handlers that `pages` gives, by method and path ("GET /keys")."""

    async def run() -> None:
        models, home = root / "models", root / "home"
        models.mkdir(exist_ok=True)
        core = Core(FolderSource(models))
        await core.start()
        made = administration(home, watches=False)
        monitoring = Monitoring(MonitorOptions(home, {"*": Collection()}), made.catalog._database)
        made.monitors = monitoring.watch
        desk = Desk(Parts(core, monitoring, guard or OpenGuard(), made), ENTRIES)
        routes = []
        for name, handler in pages(desk).items():
            method, _, path = name.partition(" ")
            routes.append(Route(path, handler, methods=[method]))
        application = Starlette(routes=routes, exception_handlers={ServeError: _refused})
        transport = httpx.ASGITransport(application)
        address, cookies = "http://console", {COOKIE: NAME}
        try:
            async with httpx.AsyncClient(transport=transport, base_url=address, cookies=cookies) as client:
                await asyncio.wait_for(use(Browser(desk, client)), 30)
        finally:
            await core.close()

    asyncio.run(run())
