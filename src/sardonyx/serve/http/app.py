"""The ASGI application of /v2: which path asks what of the core.

Decides paths, methods, statuses and header forms; must not know how a model runs.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from sardonyx.ort.logger import ERROR, log
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Context
from sardonyx.protocol.rest import decode_request, encode_error, encode_response, parse, write
from sardonyx.serve.core import Core
from sardonyx.serve.http.exchange import (
    BINARY,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
    whole_number,
)

HEADER_LENGTH = "inference-header-content-length"
_MODEL = re.compile(rb"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?:/(?P<verb>[a-z_]+))?")
_REPOSITORY = re.compile(
    rb"/v2/repository(?:/[^/]+)?/index|/v2/repository/models/(?P<model>[^/]+)/(?P<verb>load|unload)"
)


class DataPlane:
    """Answers everything under /v2."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever happens is answered in the protocol's error form."""
        try:
            await self._answer(scope, receive, send)
        except ServeError as error:
            await _refuse(send, error)
        except Exception:
            log(ERROR, f"{scope['method']} {scope['path']} failed:\n{traceback.format_exc()}")
            await _refuse(
                send, ServeError(Code.INTERNAL, "the server met a fault of its own; its log says which")
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        path = path.partition(b"?")[0]
        match = _MODEL.fullmatch(path)
        if match is not None:
            model, version, verb = (unquote((part or b"").decode("latin-1")) for part in match.groups())
            if verb == "infer":
                await self._infer(scope, receive, send, model, version)
                return
            if version == "" and verb == "" and model == "stats":
                model, verb = "", "stats"
            await self._ask_model(scope, send, model, version, verb)
            return
        match = _REPOSITORY.fullmatch(path)
        if match is not None:
            await self._ask_repository(scope, receive, send, match)
            return
        await self._ask_server(scope, send, path.rstrip(b"/"))

    async def _infer(self, scope: Scope, receive: Receive, send: Send, model: str, version: str) -> None:
        _expect(scope, "POST")
        headers = Headers(scope["headers"])
        core = self._core
        principal = core.guard.admit(headers, "infer", model)
        context = Context("http", headers, principal)
        header_length = whole_number(headers, HEADER_LENGTH)
        body = await read_body(receive, core.options.max_body_bytes)
        request = decode_request(model, version, body, header_length)
        request.context = context
        response = await core.infer(request)
        text, blobs = encode_response(response, request)
        if blobs:
            length = (HEADER_LENGTH.encode(), b"%d" % len(text))
            await respond(send, 200, text, kind=BINARY, extra=[length], blobs=blobs)
        else:
            await respond(send, 200, text)

    async def _ask_model(self, scope: Scope, send: Send, model: str, version: str, verb: str) -> None:
        _expect(scope, "GET")
        core = self._core
        core.guard.admit(Headers(scope["headers"]), "metadata", model)
        if verb == "":
            document: Any = core.metadata(model, version)
        elif verb == "stats":
            document = core.statistics(model, version)
        elif verb == "ready":
            ready = core.ready(model, version)
            await respond(send, 200 if ready else 503, write({"name": model, "ready": ready}))
            return
        else:
            raise ServeError(Code.NOT_FOUND, f"there is no '{verb}' of a model")
        await respond(send, 200, write(document))

    async def _ask_repository(
        self, scope: Scope, receive: Receive, send: Send, match: re.Match[bytes]
    ) -> None:
        _expect(scope, "POST")
        core = self._core
        model = unquote((match["model"] or b"").decode("latin-1"))
        core.guard.admit(Headers(scope["headers"]), "repository", model)
        body = await read_body(receive, core.options.max_body_bytes)
        document = parse(body) if body else {}
        if not isinstance(document, dict):
            raise invalid("the request must be a JSON object")
        if match["verb"] == b"load":
            await core.load(model)
        elif match["verb"] == b"unload":
            await core.unload(model)
        else:
            await respond(send, 200, write(core.index(ready=document.get("ready") is True)))
            return
        await respond(send, 200, b"")

    async def _ask_server(self, scope: Scope, send: Send, path: bytes) -> None:
        core = self._core
        question = _QUESTIONS.get(path)
        if question is None:
            raise ServeError(Code.NOT_FOUND, f"there is nothing at {path.decode('latin-1')}")
        _expect(scope, "GET")
        if not path.startswith(b"/v2/health"):
            core.guard.admit(Headers(scope["headers"]), "metadata", "")
        status, document = question(core)
        await respond(send, status, write(document))


def _health(core: Core) -> tuple[int, Any]:
    ready = core.ready()
    return (200 if ready else 503), {"ready": ready}


_QUESTIONS: dict[bytes, Callable[[Core], tuple[int, Any]]] = {
    b"/v2": lambda core: (200, core.server_metadata()),
    b"/v2/health/live": lambda core: (200, {"live": True}),
    b"/v2/health/ready": _health,
    b"/v2/models": lambda core: (200, {"models": sorted({row["name"] for row in core.index(ready=True)})}),
}


def _expect(scope: Scope, method: str) -> None:
    if scope["method"] != method:
        raise ServeError(Code.INVALID_ARGUMENT, f"{scope['path']} takes {method}, not {scope['method']}")


async def _refuse(send: Send, error: ServeError) -> None:
    retry = error.retry_after_s
    extra = [] if retry is None else [(b"retry-after", b"%d" % math.ceil(retry))]
    await respond(send, error.code.http, encode_error(error), extra=extra)
