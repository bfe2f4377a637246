"""Netron is served as no release, so that it calls nobody, and none of its Python is."""

from __future__ import annotations

import asyncio

from sardonyx.gateway.console.netron import HEADERS, netron


def test_what_is_served_and_what_not() -> None:
    viewer = netron()
    assert viewer is not None
    scope = {"type": "http", "method": "GET", "root_path": "", "headers": []}

    async def ask(path: str) -> tuple[int, bytes, str]:
        answer = await viewer.get_response(path, scope)
        return (
            answer.status_code,
            bytes(getattr(answer, "body", b"")),
            answer.headers.get("content-security-policy", ""),
        )

    status, body, policy = asyncio.run(ask("index.html"))
    assert status == 200 and b'name="version" content="0.0.0"' in body and b'name="date"' not in body
    assert policy == HEADERS["content-security-policy"] and "connect-src 'self'" in policy
    assert asyncio.run(ask("__init__.py"))[0] == 404
    assert asyncio.run(ask("index.js"))[0] == 200
