"""The ASGI application of /v2: inference, and who answers the rest.

Decides how a request is read and an answer written; must not know how a model runs.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import unquote

from sardonyx.protocol.datatypes import Buffer
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.gradual import LONG
from sardonyx.protocol.messages import Context, OnLeave
from sardonyx.protocol.rest import decode_request, encode_response
from sardonyx.serve.core import Core
from sardonyx.serve.http.coding import accepted, decoded, encoded
from sardonyx.serve.http.exchange import (
    BINARY,
    JSON,
    Answer,
    Headers,
    Receive,
    Scope,
    Send,
    document_of,
    name_of,
    on_disconnect,
    read_body,
    refuse,
    send_answer,
)
from sardonyx.serve.http.express import HEADER_LENGTH, Express, Met
from sardonyx.serve.http.questions import answer
from sardonyx.serve.lane import UNMET, Unanswered
from sardonyx.serve.settings import LOGGER

_PATHS_KEPT = 1024
_INFER = re.compile(rb"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


class DataPlane:
    """Answers everything under /v2."""

    def __init__(self, core: Core) -> None:
        self.express = Express(core)
        self._core = core
        self._targets: dict[bytes, tuple[str, str] | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever happens is answered in the protocol's error form."""
        try:
            path: bytes = scope["raw_path"]
            if self._target(path) is None:
                await answer(self._core, scope, receive, send, path)
            else:
                await self._infer(scope, receive, send, path)
        except ServeError as error:
            await refuse(send, error, scope)
        except Exception:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            text = "the server met a fault of its own; its log says which"
            await refuse(send, ServeError(Code.INTERNAL, text), scope)

    async def answer_inference(
        self,
        path: bytes,
        headers: Headers,
        body: Buffer,
        on_leave: OnLeave,
        known: Unanswered = UNMET,
        alone: bytes = b"",
    ) -> Answer:
        """The answer to a POST of that body to a path of inference; raises ServeError.

        `known` is what was decided before the request was parsed; `alone` are all its bytes if they came at
        once, so that those like it can be known by them.
        """
        target = self._target(path)
        if target is None:
            raise ServeError(Code.NOT_FOUND, f"there is nothing at {path.decode('latin-1')}")
        model, version = target
        core = self._core
        principal = known.principal or core.guard.admit(headers, "infer", model)
        context = Context("http", headers, principal, on_leave=on_leave)
        try:
            text = await decoded(body, headers, core.options.max_body_bytes)
            length = headers.number(HEADER_LENGTH)
            document = None
            if LONG < (len(text) if length is None else length) <= len(text):
                document = await document_of(memoryview(text)[:length])
            request = decode_request(model, version, text, length, document)
            request.context = context
            response = await core.infer(request, known.route)
        except ServeError as error:
            error.request_id = context.told_id
            raise
        if alone and not context.told_id:
            self.express.learn(Met(alone, path, headers, request, response))
        written, blobs = encode_response(response, request, core.options.non_finite)
        kind, extra = JSON, name_of(context.told_id)
        if blobs:
            kind = BINARY
            extra.append((HEADER_LENGTH, b"%d" % len(written)))
        coding = accepted(headers)
        if coding is not None:
            written, blobs = await encoded(coding, [written, *blobs]), []
            extra.append((b"content-encoding", coding.encode()))
        return Answer(written, kind, extra, blobs)

    async def _infer(self, scope: Scope, receive: Receive, send: Send, path: bytes) -> None:
        if scope["method"] != "POST":
            raise ServeError(Code.METHOD, f"{scope['path']} takes POST, not {scope['method']}")
        headers = Headers(scope["headers"])
        body = await read_body(receive, headers, self._core.options.max_body_bytes)
        await send_answer(
            send, await self.answer_inference(path, headers, body, partial(on_disconnect, receive))
        )

    def _target(self, path: bytes) -> tuple[str, str] | None:
        """Model and version of a path of inference; None for other paths."""
        if path in self._targets:
            return self._targets[path]
        match = _INFER.fullmatch(path)
        target = None
        if match is not None:
            target = unquote(match[1].decode("latin-1")), unquote((match[2] or b"").decode("latin-1"))
        if len(self._targets) >= _PATHS_KEPT:
            self._targets.clear()
        self._targets[path] = target
        return target
