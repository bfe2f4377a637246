"""`POST /score` beside the protocol: plain JSON in and out, as Azure ML's online endpoints have it.

Decides which model is meant; must not know how JSON becomes tensors (plain.py).
"""

from __future__ import annotations

from functools import partial
from urllib.parse import unquote

from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Context, Principal
from sardonyx.protocol.rest import write_all
from sardonyx.protocol.tables import parse_tables_gradually
from sardonyx.serve.core import Core
from sardonyx.serve.http.coding import decoded
from sardonyx.serve.http.exchange import (
    Headers,
    Receive,
    Scope,
    Send,
    document_of,
    name_of,
    on_disconnect,
    read_body,
    refuse,
    respond,
)
from sardonyx.serve.http.plain import answered, scored
from sardonyx.serve.settings import LOGGER

PREFIX = "/score"
DEPLOYMENT = "azureml-model-deployment"


class Score:
    """Answers /score/NAME, and /score, which asks the only endpoint, or else the only model."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; errors in the protocol's form."""
        try:
            await self._score(scope, receive, send)
        except ServeError as error:
            await refuse(send, error, scope)
        except Exception:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            text = "the server met a fault of its own; its log says which"
            await refuse(send, ServeError(Code.INTERNAL, text), scope)

    async def _score(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise ServeError(Code.METHOD, f"{scope['path']} takes POST, not {scope['method']}")
        core, headers = self._core, Headers(scope["headers"])
        name = unquote(scope["path"].removeprefix(PREFIX).strip("/"))
        principal = core.guard.admit(headers, "infer", name)
        model = name or self._meant(headers, principal)
        limit = core.options.max_body_bytes
        body = await decoded(await read_body(receive, headers, limit), headers, limit)
        context = Context("http", headers, principal, on_leave=partial(on_disconnect, receive))
        try:
            document = await document_of(body, parse_tables_gradually)
            response = await core.infer(*await core.read(model, "", context, partial(scored, document)))
        except ServeError as error:
            error.request_id = context.told_id
            raise
        text = write_all(*answered(response), core.options.non_finite)
        await respond(send, 200, text, extra=name_of(context.told_id))

    def _meant(self, headers: Headers, principal: Principal) -> str:
        """The name that a header gives, or else the only one; of those that are served and may be seen."""
        models = {row["name"] for row in self._core.index(ready=True) if principal.may_see(row["name"])}
        known = self._core.router.endpoints()
        endpoints = {name for name in known if principal.may_see(name) and self._is_served(name)}
        given = headers.get(DEPLOYMENT, "")
        if given in models | endpoints:
            return given
        names = endpoints or models
        if len(names) == 1:
            return names.pop()
        if not names and not self._core.ready():
            raise ServeError(Code.UNAVAILABLE, "no model is ready yet")
        seen = ", ".join(sorted(names)) or "none"
        raise invalid(f"name the model: POST /score/NAME, or the header {DEPLOYMENT}; there are: {seen}")

    def _is_served(self, endpoint: str) -> bool:
        """Whether an endpoint of the registry leads to a model of this server."""
        try:
            self._core.ready(endpoint)
        except ServeError:
            return False
        return True
