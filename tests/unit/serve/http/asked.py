"""One HTTP request to an ASGI application, without a port."""

from __future__ import annotations

from typing import Any

import httpx


async def asked(application: Any, method: str, path: str, **more: Any) -> httpx.Response:
    """The answer of an application."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.request(method, path, **more)
