"""The ASGI application of /v2: inference, and who answers the rest.

Decides how a request is read and an answer written; must not know how a model runs.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import unquote

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Context
from sardonyx.protocol.rest import decode_request, encode_response
from sardonyx.serve.core import Core
from sardonyx.serve.http.coding import accepted, decoded, encoded
from sardonyx.serve.http.exchange import (
    BINARY,
    JSON,
    Headers,
    Receive,
    Scope,
    Send,
    on_disconnect,
    read_body,
    refuse,
    respond,
)
from sardonyx.serve.http.questions import answer
from sardonyx.serve.settings import LOGGER

_HEADER_LENGTH = b"inference-header-content-length"
_PATHS_KEPT = 1024
_INFER = re.compile(rb"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


class DataPlane:
    """Answers everything under /v2."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._targets: dict[bytes, tuple[str, str] | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever happens is answered in the protocol's error form."""
        try:
            path: bytes = scope["raw_path"]
            target = self._targets[path] if path in self._targets else self._target(path)
            if target is None:
                await answer(self._core, scope, receive, send, path)
            else:
                await self._infer(scope, receive, send, target)
        except ServeError as error:
            await refuse(send, error)
        except Exception:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            text = "the server met a fault of its own; its log says which"
            await refuse(send, ServeError(Code.INTERNAL, text))

    def _target(self, path: bytes) -> tuple[str, str] | None:
        """Model and version of a path of inference; None for other paths."""
        match = _INFER.fullmatch(path)
        target = None
        if match is not None:
            target = unquote(match[1].decode("latin-1")), unquote((match[2] or b"").decode("latin-1"))
        if len(self._targets) >= _PATHS_KEPT:
            self._targets.clear()
        self._targets[path] = target
        return target

    async def _infer(self, scope: Scope, receive: Receive, send: Send, target: tuple[str, str]) -> None:
        if scope["method"] != "POST":
            raise ServeError(Code.METHOD, f"{scope['path']} takes POST, not {scope['method']}")
        model, version = target
        core, headers = self._core, Headers(scope["headers"])
        context = Context("http", headers, core.guard.admit(headers, "infer", model))
        context.on_leave = partial(on_disconnect, receive)
        limit = core.options.max_body_bytes
        body = decoded(await read_body(receive, limit), headers, limit)
        request = decode_request(model, version, body, headers.number(_HEADER_LENGTH))
        request.context = context
        response = await core.infer(request)
        text, blobs = encode_response(response, request)
        kind, extra = JSON, []
        if blobs:
            kind = BINARY
            extra.append((_HEADER_LENGTH, b"%d" % len(text)))
        coding = accepted(headers)
        if coding is not None:
            text, blobs = encoded(coding, [text, *blobs]), []
            extra.append((b"content-encoding", coding.encode()))
        await respond(send, 200, text, kind=kind, extra=extra, blobs=blobs)
