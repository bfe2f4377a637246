"""Headers of CORS around an application."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sardonyx.serve.http.exchange import Receive, Scope, Send, respond
from sardonyx.serve.http.origins import is_origin, shared
from tests.unit.serve.http.asked import asked

PAGE = "https://app.example.org"


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, b"{}")


def answer(origins: tuple[str, ...], method: str, **headers: str) -> httpx.Response:
    return asyncio.run(asked(shared(answering, origins), method, "/v2", headers=headers))


def test_no_origins_change_nothing() -> None:
    assert shared(answering, ()) is answering


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((PAGE,), PAGE, PAGE),
        (("HTTPS://App.example.org",), PAGE, PAGE),
        (("*",), PAGE, "*"),
        ((PAGE,), "http://a", None),
    ],
)
def test_who_may_read_an_answer(origins: tuple[str, ...], origin: str, allowed: str | None) -> None:
    found = answer(origins, "POST", origin=origin)
    assert (found.status_code, found.headers.get("access-control-allow-origin")) == (200, allowed)
    assert "access-control-allow-credentials" not in found.headers


def test_what_an_origin_is() -> None:
    assert all(map(is_origin, (PAGE, "http://[::1]:3000", "*")))
    assert not any(map(is_origin, ("", "null", "app.example.org", PAGE + "/", PAGE + "/x", "https://*.org")))
