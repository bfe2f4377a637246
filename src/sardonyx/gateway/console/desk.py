"""What all pages share: who visits, the frame around a page, forms, and going on after an act.

Decides what a page must have asked before it shows anything. Must not know what pages are about.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import sardonyx
from sardonyx.gateway.console.access import Sessions, Visitor, check_token, keep_browser, visitor
from sardonyx.gateway.console.parts import Parts
from sardonyx.gateway.console.view import environment
from sardonyx.gateway.operations import Administration
from sardonyx.protocol.errors import Code, ServeError, not_found

T = TypeVar("T")

_SAID = "sardonyx_said"


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """An entry of the navigation; `count` is what waits there for somebody."""

    name: str
    title: str
    path: str
    icon: str
    scope: str = "metadata"
    count: int = 0


class Desk:
    """The parts of the server with the tools that handlers of pages need."""

    def __init__(self, parts: Parts, entries: Sequence[NavigationEntry]) -> None:
        self.parts = parts
        self.sessions = Sessions()
        self._navigation_entries = entries
        self._templates = environment()
        self._signer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="said")

    def admit(self, request: Request, scope: str = "metadata", model: str = "") -> Visitor:
        """Who visits; ServeError if they may not do this."""
        return visitor(request, self.parts.guard, self.sessions, scope, model)

    @property
    def administration(self) -> Administration:
        """The registry's; NOT_FOUND where there is none."""
        if self.parts.administration is None:
            raise not_found("this server has no registry")
        return self.parts.administration

    async def ask(self, question: Callable[[], T]) -> T:
        """What the database says, asked on a thread."""
        return await run_in_threadpool(question)

    async def act(self, change: Callable[[], T]) -> T:
        """Change something on a thread, and wait until this server goes by it."""

        def changed() -> T:
            result = change()
            self.parts.changed()
            return result

        return await run_in_threadpool(changed)

    def must_see(self, who: Visitor, *names: str) -> None:
        """Nothing if the visitor's key is for all these models and endpoints; FORBIDDEN otherwise."""
        for name in names:
            if not who.principal.may_see(name):
                raise ServeError(Code.FORBIDDEN, f"{who.principal.name!r} has no access to {name!r}")

    def url(self, request: Request) -> str:
        """Where this server is reached, as the browser reaches it."""
        return str(request.base_url).rstrip("/").removesuffix(request.scope.get("root_path", ""))

    async def form(self, request: Request, files: int = 8) -> FormData:
        """The fields of a form that came from a page of ours, with so many files at most."""
        form = await request.form(max_files=files, max_fields=4000, max_part_size=32 << 20)
        check_token(request, form, self.sessions)
        return form

    def page(
        self, request: Request, template: str, here: str, who: Visitor, status: int = 200, **context: Any
    ) -> Response:
        """A page in its frame."""
        said = self._take_said(request)
        text = self._templates.get_template(template).render(
            root=request.scope.get("root_path", ""),
            navigation=self._navigation(who),
            here=here,
            visitor=who,
            said=said,
            bare=context.pop("bare", False),
            server=self.parts.core.options.name,
            release=sardonyx.__version__,
            **context,
        )
        response = HTMLResponse(text, status)
        keep_browser(response, request)
        if said:
            response.delete_cookie(_SAID, path=request.scope.get("root_path") or "/")
        return response

    def fragment(self, request: Request, template: str, who: Visitor, **context: Any) -> Response:
        """A piece of a page, for a script to put in its place."""
        root = request.scope.get("root_path", "")
        return HTMLResponse(self._templates.get_template(template).render(root=root, visitor=who, **context))

    def go(self, request: Request, path: str, said: str = "") -> Response:
        """On to another page of the console, which shows what was done."""
        response = RedirectResponse(request.scope.get("root_path", "") + path, 303)
        if said:
            cookie_path = request.scope.get("root_path") or "/"
            signed = self._signer.dumps(said[:300])
            response.set_cookie(_SAID, signed, 60, path=cookie_path, httponly=True, samesite="strict")
        return response

    def _navigation(self, who: Visitor) -> list[NavigationEntry]:
        open_alerts = self._open_alerts()
        return [
            NavigationEntry(
                p.name, p.title, p.path, p.icon, p.scope, open_alerts if p.name == "alerts" else 0
            )
            for p in self._navigation_entries
            if who.may(p.scope)
        ]

    def _open_alerts(self) -> int:
        watch = self.parts.monitoring.watch
        try:
            return watch.book.open_alerts() if watch is not None else 0
        except ServeError:
            return 0

    def _take_said(self, request: Request) -> str:
        try:
            return str(self._signer.loads(request.cookies.get(_SAID, ""), max_age=60))
        except BadSignature:
            return ""


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")
