"""Who visits the console, and what a browser may be made to do: sessions, forgery, hosts, headers.

A visitor logs in with an API key, which stays in this process; the browser holds a random name for it. Must
not know pages.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sardonyx.gateway.bounded import bounded
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.registry.guard import LOOPBACK, host_of, is_of
from sardonyx.serve.seams import Guard

COOKIE = "sardonyx_session"
TOKEN = "forgery_token"
LIFE_S = 12 * 3600
MAX_BODY_BYTES = 64 << 20
_MOST_SESSIONS = 10_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CONTENT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _CONTENT.items()),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(slots=True)
class Session:
    """A logged-in browser: the key that it gave, and until when (`time.monotonic()`)."""

    key: str = field(repr=False)
    ends_at: float


class Sessions:
    """The browsers that are logged in; they are forgotten when the process ends."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}
        self._secret = secrets.token_bytes(32)

    def begin(self, key: str) -> str:
        """Remember a key; the name that the browser's cookie holds from now on."""
        self._forget()
        name = secrets.token_urlsafe(24)
        self._known[name] = Session(key, time.monotonic() + LIFE_S)
        return name

    def end(self, name: str) -> None:
        """Forget a key."""
        self._known.pop(name, None)

    def key(self, name: str) -> str:
        """The key behind a cookie; "" if there is none or it has ended."""
        session = self._known.get(name)
        return session.key if session is not None and session.ends_at > time.monotonic() else ""

    def token(self, name: str) -> str:
        """What forms of the browser with that cookie carry."""
        return hmac.digest(self._secret, name.encode(), "sha256").hex()

    def _forget(self) -> None:
        now = time.monotonic()
        ended = [name for name, session in self._known.items() if session.ends_at <= now]
        for name in ended or list(self._known)[: max(0, len(self._known) - _MOST_SESSIONS)]:
            del self._known[name]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page."""

    principal: Principal
    logged_in: bool
    token: str

    def may(self, scope: str) -> bool:
        """Whether the visitor has a scope."""
        return not self.principal.scopes or scope in self.principal.scopes


def visitor(
    request: HTTPConnection, guard: Guard, sessions: Sessions, scope: str, model: str = ""
) -> Visitor:
    """Who asks, if they may; ServeError UNAUTHENTICATED or FORBIDDEN otherwise."""
    name = browser(request)
    key = sessions.key(name)
    headers = credentials(request.headers, key)
    return Visitor(guard.admit(headers, scope, model), bool(key), sessions.token(name))


def browser(request: HTTPConnection) -> str:
    """The name that the browser holds; at its first visit a fresh one, which `keep_browser` lets it hold."""
    name: str = request.cookies.get(COOKIE, "") or getattr(request.state, "fresh", "")
    if not name:
        name = request.state.fresh = secrets.token_urlsafe(24)
    return name


def keep_browser(response: Response, request: Request) -> None:
    """Let a browser that came for the first time hold its name."""
    if fresh := getattr(request.state, "fresh", ""):
        set_cookie(response, request, fresh)


def credentials(headers: Mapping[str, str], key: str) -> dict[str, str]:
    """The headers of a request with the key of its session in them."""
    found = {name.lower(): value for name, value in headers.items() if name.lower() != "cookie"}
    return {**found, "authorization": f"Bearer {key}"} if key else found


def check_token(request: Request, form: FormData, sessions: Sessions) -> None:
    """Nothing if a form came from a page of ours; ServeError FORBIDDEN otherwise."""
    given = form.get(TOKEN) or request.headers.get("x-forgery-token", "")
    expected = sessions.token(request.cookies.get(COOKIE, ""))
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ServeError(Code.FORBIDDEN, "this form is too old; load the page again and send it once more")


def set_cookie(response: Response, request: Request, name: str) -> None:
    """Let the browser hold a name."""
    response.set_cookie(
        COOKIE,
        name,
        max_age=LIFE_S,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def hosts_of(address: str) -> tuple[str, ...]:
    """The names of a server that listens on an address: those of this machine, or any for other addresses.

    A page of elsewhere whose name was made to mean this machine is so refused.
    """
    return LOOPBACK if address in LOOPBACK else ()


def guarded(application: ASGIApp, guard: Guard) -> ASGIApp:
    """An application that only those may ask who may read metadata."""

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            guard.admit(dict(Headers(scope=scope)), "metadata", "")
        except ServeError as error:
            await PlainTextResponse(error.message, error.code.http)(scope, receive, send)
            return
        await application(scope, receive, send)

    return admitted


class Gate:
    """ASGI middleware: refuses foreign hosts, foreign origins and large bodies, adds the headers to answers.

    `hosts` are the names in the Host header that are answered; empty means any. An answer that states a
    content security policy of its own keeps it.
    """

    def __init__(self, inner: ASGIApp, hosts: tuple[str, ...] = ()) -> None:
        self._inner, self._hosts = inner, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answered.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], headers)
        if refusal:
            await PlainTextResponse(refusal, 403)(scope, receive, guarded)
            return
        await self._inner(scope, bounded(receive, MAX_BODY_BYTES, "form"), guarded)

    def _refusal(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        if self._hosts and host_of(host) not in self._hosts:
            return f"the console is not reached by the name {host[:100]!r}"
        if method in _SAFE:
            return ""
        origin = headers.get("origin")
        if origin is not None and not is_of(origin, host):
            return f"pages of {origin[:100]} may not use the console"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "pages of other sites may not use the console"
        return ""
