"""The pages of API keys and of the audit log. Must not know how keys are made or entries chained."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.access import Visitor, set_cookie
from sardonyx.gateway.console.desk import Desk
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.monitors import seconds
from sardonyx.protocol.records import ROLES, IssuedKey, NewKey

_PAGE = 50


class AccessPages:
    """Handlers of these pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def keys(self, request: Request) -> Response:
        """All keys, and a form for another."""
        return await self._keys(request, self._desk.admit(request, "admin"), None)

    async def create(self, request: Request) -> Response:
        """A new key, whose secret is shown this once.

        The first one ends the time when everybody may do everything; who made it is logged in with it.
        """
        who = self._desk.admit(request, "admin")
        form = {k: v.strip() for k, v in (await self._desk.form(request)).items() if isinstance(v, str)}
        days = form.get("days", "")
        new = NewKey(
            name=form.get("name", ""),
            role=form.get("role", ""),
            models=form.get("models", "").replace(",", " ").split() or ["*"],
            quotas=[quota.strip() for quota in form.get("quotas", "").split(",") if quota.strip()],
            expires_in_s=seconds(f"{days}d", "the days") if days else None,
        )
        issued = await self._desk.act(lambda: self._desk.administration.keys.create(new, who.principal.name))
        response = await self._keys(request, who, issued)
        if not who.logged_in and who.principal.name == "anonymous" and "admin" in issued.scopes:
            set_cookie(response, request, self._desk.sessions.begin(issued.secret))
        return response

    async def revoke(self, request: Request) -> Response:
        """Let a key be good no more."""
        who = self._desk.admit(request, "admin")
        await self._desk.form(request)
        prefix = request.path_params["prefix"]
        key = await self._desk.act(lambda: self._desk.administration.keys.revoke(prefix, who.principal.name))
        return self._desk.go(request, "/keys", f"{key.name} is good no more")

    async def audit(self, request: Request) -> Response:
        """Who did what, the newest first."""
        who = self._desk.admit(request, "admin")
        query = request.query_params
        before, subject, actor = query.get("before", ""), query.get("subject", ""), query.get("actor", "")
        if before and not (before.isascii() and before.isdecimal() and len(before) < 18):
            raise invalid(f"before={before!r} must be a whole number")
        audit = self._desk.administration.audit
        entries = await self._desk.ask(
            lambda: audit.entries(
                limit=_PAGE, before=int(before) if before else None, subject=subject, actor=actor
            )
        )
        broken = await self._desk.ask(lambda: audit.check().broken) if not before else None
        older = (
            urlencode({"before": entries[-1].number, "subject": subject, "actor": actor})
            if len(entries) == _PAGE
            else ""
        )
        return self._desk.page(
            request,
            "audit.html",
            "audit",
            who,
            entries=entries,
            older=older,
            subject=subject,
            actor=actor,
            broken=broken,
        )

    async def _keys(self, request: Request, who: Visitor, issued: IssuedKey | None) -> Response:
        keys = await self._desk.ask(lambda: self._desk.administration.keys.keys(all=True))
        good = [key for key in keys if key.revoked_at is None]
        return self._desk.page(
            request,
            "keys.html",
            "keys",
            who,
            keys=good,
            issued=issued,
            roles=ROLES,
            url=self._desk.url(request),
        )
