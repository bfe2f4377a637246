"""Sessions end, forms are signed for one browser, and pages of elsewhere are refused."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from sardonyx.gateway.console import access
from sardonyx.gateway.console.access import (
    COOKIE,
    HEADERS,
    LOOPBACK,
    Gate,
    Sessions,
    Visitor,
    browser,
    credentials,
    guarded,
    hosts_of,
    keep_browser,
)
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal


def test_a_key_stays_here_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    name, other = sessions.begin("secret"), sessions.begin("more")
    assert "secret" not in repr(sessions._known)
    assert (sessions.key(name), sessions.key("unknown"), name != other) == ("secret", "", True)
    sessions.end(name)
    assert sessions.key(name) == ""
    later = access.time.monotonic() + access.LIFE_S + 1
    monkeypatch.setattr(access.time, "monotonic", lambda: later)
    assert sessions.key(other) == ""
    sessions.begin("new")
    assert len(sessions._known) == 1


def test_so_many_sessions_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_MOST_SESSIONS", 2)
    sessions = Sessions()
    names = [sessions.begin(f"k{n}") for n in range(5)]
    assert [sessions.key(name) for name in names] == ["", "", "k2", "k3", "k4"]


def test_a_token_is_of_one_browser_and_one_process() -> None:
    sessions = Sessions()
    assert sessions.token("a") == sessions.token("a")
    assert len({sessions.token("a"), sessions.token("b"), Sessions().token("a")}) == 3


def request(**headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw}
    return Request({**scope, "server": ("x", 80), "scheme": "https", "state": {}})


def test_a_browser_that_comes_first_is_given_a_name() -> None:
    first, response = request(), PlainTextResponse("")
    name = browser(first)
    assert browser(first) == name
    keep_browser(response, first)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={name};")
    for word in ("HttpOnly", "SameSite=strict", "Secure"):
        assert word in cookie
    known, plain = request(cookie=f"{COOKIE}=mine"), PlainTextResponse("")
    assert browser(known) == "mine"
    keep_browser(plain, known)
    assert "set-cookie" not in plain.headers


def test_the_guard_sees_the_key_and_no_cookie() -> None:
    given = {"Cookie": "x", "Host": "h", "Authorization": "other"}
    assert credentials(given, "k") == {"host": "h", "authorization": "Bearer k"}
    assert credentials(given, "") == {"host": "h", "authorization": "other"}


def test_who_has_no_scopes_may_do_everything() -> None:
    assert Visitor(Principal(), False, "").may("admin")
    assert not Visitor(Principal("x", frozenset({"infer"})), True, "").may("admin")


def test_names_of_this_machine() -> None:
    assert hosts_of("127.0.0.1") == LOOPBACK
    assert hosts_of("0.0.0.0") == ()


async def inner(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    await PlainTextResponse("inside", headers={"cache-control": "own"})(scope, receive, send)


def asked(application: Any, method: str = "GET", **more: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:80") as client:
            return await client.request(method, "/", **more)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "headers", "message"),
    [
        ("GET", {}, "inside"),
        ("POST", {}, "inside"),
        ("POST", {"origin": "http://localhost"}, "inside"),
        ("GET", {"host": "evil.example"}, "the console is not reached by the name 'evil.example'"),
        ("POST", {"origin": "http://evil.example"}, "pages of http://evil.example may not use the console"),
        ("POST", {"sec-fetch-site": "cross-site"}, "pages of other sites may not use the console"),
        ("GET", {"sec-fetch-site": "cross-site"}, "inside"),
    ],
)
def test_pages_of_elsewhere_may_not_act(method: str, headers: dict[str, str], message: str) -> None:
    answer = asked(Gate(inner, LOOPBACK), method, headers=headers)
    assert (answer.text, answer.status_code) == (message, 200 if message == "inside" else 403)
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]
    assert answer.headers["cache-control"] == ("own" if message == "inside" else "no-store")


def test_a_form_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_BODY_BYTES", 10)
    with pytest.raises(ServeError, match="the form is larger than") as caught:
        asked(Gate(inner), "POST", content=b"x" * 11)
    assert caught.value.code is Code.TOO_LARGE


class Refusing:
    """A guard that lets nobody in."""

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        assert (action, model) == ("metadata", "")
        raise ServeError(Code.UNAUTHENTICATED, "who are you?")


def test_an_application_behind_the_guard() -> None:
    answer = asked(guarded(inner, Refusing()))
    assert (answer.status_code, answer.text) == (401, "who are you?")
