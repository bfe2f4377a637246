"""The console as an ASGI application: its routes, its navigation, what is said when something fails.

Decides which page answers which path. Must not know what pages say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from sardonyx.gateway.console.access import COOKIE, Gate, Visitor, browser, set_cookie
from sardonyx.gateway.console.desk import Desk, NavigationEntry
from sardonyx.gateway.console.netron import netron
from sardonyx.gateway.console.pages.ask import AskPages
from sardonyx.gateway.console.pages.endpoints import EndpointPages
from sardonyx.gateway.console.pages.graph import GraphPages
from sardonyx.gateway.console.pages.keys import AccessPages
from sardonyx.gateway.console.pages.models import ModelPages
from sardonyx.gateway.console.pages.monitors import MonitorPages
from sardonyx.gateway.console.pages.profile import ProfilePages
from sardonyx.gateway.console.pages.requests import RequestPages
from sardonyx.gateway.console.pages.studio import StudioPages
from sardonyx.gateway.console.parts import Parts
from sardonyx.gateway.console.view import STATIC
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger("sardonyx.console")
_TITLES = {
    Code.UNAUTHENTICATED: "Please log in",
    Code.FORBIDDEN: "Not allowed",
    Code.NOT_FOUND: "Not found",
    Code.UNAVAILABLE: "Not available now",
    Code.INTERNAL: "Something went wrong here",
}


class Console:
    """The application; `close` ends the streams of live pages, so that a server can stop."""

    def __init__(self, parts: Parts) -> None:
        self._closing = asyncio.Event()
        self._desk = Desk(parts, _navigation_entries(parts))
        self._models = ModelPages(self._desk, self._closing)
        self._ask = AskPages(self._desk, self._models)
        self._profile = ProfilePages(self._desk, self._models)
        self._graph = GraphPages(self._desk, self._models)
        self._endpoints = EndpointPages(self._desk)
        self._access = AccessPages(self._desk)
        self._monitors = MonitorPages(self._desk)
        self._requests = RequestPages(self._desk)
        self._studio = StudioPages(self._desk, parts.studio, self._closing) if parts.studio else None
        routes = Starlette(routes=self._routes(), exception_handlers={HTTPException: self._no_page})
        self._application = Gate(routes, parts.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._application(scope, receive, send)

    def close(self) -> None:
        """End all streams."""
        self._closing.set()

    def _routes(self) -> list[BaseRoute]:
        models, ask, profile, graph = self._models, self._ask, self._profile, self._graph
        endpoints, access = self._endpoints, self._access
        monitors, viewer = self._monitors, netron()
        return [
            *([Mount("/netron", viewer)] if viewer is not None else []),
            self._get("/", models.overview),
            self._get("/models", models.models),
            self._get("/models/{model}", models.model),
            self._post("/models/{model}", models.act),
            self._get("/models/{model}/ask", ask.form),
            self._post("/models/{model}/ask", ask.ask),
            self._get("/models/{model}/profile", profile.show),
            self._post("/models/{model}/profile", profile.measure),
            self._get("/models/{model}/graph", graph.show),
            self._get("/models/{model}/file/{file}", graph.file),
            self._get("/endpoints", endpoints.endpoints),
            self._post("/endpoints", endpoints.create),
            self._get("/endpoints/{endpoint}", endpoints.endpoint),
            self._post("/endpoints/{endpoint}/{act}", endpoints.act),
            self._get("/keys", access.keys),
            self._post("/keys", access.create),
            self._post("/keys/{prefix}/revoke", access.revoke),
            self._get("/audit", access.audit),
            self._get("/requests", self._requests.requests),
            self._get("/monitors", monitors.monitors),
            self._post("/monitors", monitors.create),
            self._get("/monitors/new", monitors.new),
            self._get("/monitors/{monitor}", monitors.monitor),
            self._post("/monitors/{monitor}/{act}", monitors.act),
            self._get("/alerts", monitors.alerts),
            self._post("/alerts/{number:int}/acknowledge", monitors.acknowledge),
            *(self._of_studio(self._studio) if self._studio else []),
            self._get("/live", models.stream),
            self._get("/login", self._login_page),
            self._post("/login", self._login),
            self._post("/logout", self._logout),
            Mount("/static", _Static(directory=STATIC)),
        ]

    def _of_studio(self, studio: StudioPages) -> list[BaseRoute]:
        return [
            self._get("/vision", studio.collections),
            self._post("/vision", studio.create),
            self._get("/vision/{collection}", studio.collection),
            self._get("/vision/{collection}/live", studio.stream),
            self._get("/vision/{collection}/label/{file}", studio.labels.show),
            self._post("/vision/{collection}/label/{file}", studio.labels.act),
            self._get("/vision/{collection}/picture/{file}", studio.picture),
            self._get("/vision/{collection}/file/{file}", studio.file),
            self._post("/vision/{collection}/{act}", studio.act),
        ]

    def _get(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answering(handler), methods=["GET"])

    def _post(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answering(handler), methods=["POST"])

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except ServeError as error:
                return self._refused(request, error)
            except HTTPException as error:
                return self._refused(request, ServeError(Code.INVALID_ARGUMENT, str(error.detail)))
            except Exception:
                _log.exception("%s %s", request.method, request.url.path)
                fault = ServeError(Code.INTERNAL, "The server met a fault of its own; its log says which.")
                return self._refused(request, fault)
            finally:
                await request.close()

        return answer

    def _refused(self, request: Request, error: ServeError) -> Response:
        if error.code is Code.UNAUTHENTICATED and request.method == "GET" and "/live" not in request.url.path:
            root = request.scope.get("root_path", "")
            inside = request.url.path.removeprefix(root)
            return RedirectResponse(f"{root}/login?next={quote(inside, safe='')}", 303)
        if request.headers.get("x-fragment"):
            return PlainTextResponse(error.message, error.code.http)
        title = _TITLES.get(error.code, "That did not work")
        who = self._someone(request)
        return self._desk.page(
            request, "error.html", "", who, error.code.http, title=title, message=error.message, bare=False
        )

    async def _no_page(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = Code.NOT_FOUND if error.status_code == 404 else Code.INVALID_ARGUMENT
        return self._refused(request, ServeError(code, f"There is no page {request.url.path}."))

    def _someone(self, request: Request) -> Visitor:
        """Whoever it is, for the frame of a page that refuses."""
        try:
            return self._desk.admit(request)
        except ServeError:
            token = self._desk.sessions.token(browser(request))
            return Visitor(Principal("", frozenset({"none"})), False, token)

    async def _login_page(self, request: Request) -> Response:
        return self._login_form(request)

    def _login_form(self, request: Request, message: str = "", status: int = 200) -> Response:
        following = request.query_params.get("next", "/")
        who = self._someone(request)
        return self._desk.page(
            request, "login.html", "", who, status, message=message, following=following, bare=True
        )

    async def _login(self, request: Request) -> Response:
        form = await self._desk.form(request)
        key = str(form.get("key", "")).strip()
        try:
            self._desk.parts.guard.admit({"authorization": f"Bearer {key}"}, "metadata", "")
        except ServeError as error:
            return self._login_form(request, error.message, error.code.http)
        following = str(form.get("next", "/"))
        inside = following.startswith("/") and not following.startswith(("//", "/\\"))
        response = self._desk.go(request, following if inside else "/")
        set_cookie(response, request, self._desk.sessions.begin(key))
        return response

    async def _logout(self, request: Request) -> Response:
        await self._desk.form(request)
        self._desk.sessions.end(request.cookies.get(COOKIE, ""))
        response = self._desk.go(request, "/login")
        response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/")
        return response


class _Static(StaticFiles):
    """Files whose address changes with their content, so that browsers may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """See StaticFiles."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _navigation_entries(parts: Parts) -> list[NavigationEntry]:
    known = [
        (True, NavigationEntry("overview", "Overview", "/", "overview")),
        (True, NavigationEntry("models", "Models", "/models", "models")),
        (parts.administration, NavigationEntry("endpoints", "Endpoints", "/endpoints", "endpoints")),
        (parts.studio is not None, NavigationEntry("studio", "Vision", "/vision", "picture", "repository")),
        (True, NavigationEntry("requests", "Requests", "/requests", "requests", "admin")),
        (True, NavigationEntry("monitors", "Monitors", "/monitors", "monitors")),
        (parts.monitoring.watch, NavigationEntry("alerts", "Alerts", "/alerts", "alerts")),
        (parts.administration, NavigationEntry("keys", "Keys", "/keys", "keys", "admin")),
        (parts.administration, NavigationEntry("audit", "Audit", "/audit", "audit", "admin")),
    ]
    return [entry for part, entry in known if part]
