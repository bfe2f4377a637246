"""Messages whose bytes are known but for their tensors: answered without being parsed.

Decides which bytes stand for a message that was met before. The lanes of serve/lane.py do the work; what they
do not take, protobuf gets. Must not know how calls are listened for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.known import Read
from sardonyx.protocol.messages import REQUEST_ID, Context, InferRequest, InferResponse
from sardonyx.protocol.protobuf import encode_response, message_reader, texts_before
from sardonyx.serve.core import Core
from sardonyx.serve.lane import (
    UNMET,
    Form,
    Lane,
    Unanswered,
    Write,
    has_form,
    is_placed,
    lies_outside,
    placing_writer,
)

_LENGTHS_KEPT, _OF_A_LENGTH, _MOST_KEPT_BYTES = 256, 8, 1 << 24


class Express:
    """The messages that were met; at first none are."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept_bytes = 0
        self._known: dict[int, list[tuple[bytes, InferRequest, Form, Read]]] = {}

    def answer(self, raw: bytes, headers: Mapping[str, str]) -> bytes | Unanswered:
        """The whole answer to a message, if it needs no parsing. Raises ServeError."""
        received_ns = time.perf_counter_ns()
        if REQUEST_ID in headers:
            return UNMET
        for head, known, form, read in self._known.get(len(raw), ()):
            if not raw.startswith(head):
                continue
            context = known.context
            context.headers = headers
            lane = form.lane(known)
            if isinstance(lane, Unanswered):
                return lane
            context.principal = self._core.guard.admit(headers, "infer", known.model)
            if not read(raw, len(head)):
                return lane.left(context.principal)
            return lane.answer(known, received_ns)
        return UNMET

    def learn(self, raw: bytes, message: Any, request: InferRequest) -> None:
        """Remember a message that was answered, if others can be like it."""
        if not has_form(request, frozenset()):
            return
        known = InferRequest(request.model, [], request.version, context=Context("grpc"))
        write = partial(placing_writer, _placed) if is_placed(request) else _writer
        form = Form(self._core, request, known.context, write)
        found = message_reader(raw, message, form.feeds)
        if lies_outside(request):
            fill = self._core.regions.reader(request.inputs, form.feeds)
            found = raw, lambda body, at: at == len(body) and fill()
        if found is None:
            return
        if len(self._known) >= _LENGTHS_KEPT or self._kept_bytes >= _MOST_KEPT_BYTES:
            self._known.clear()
            self._kept_bytes = 0
        alike = self._known.setdefault(len(raw), [])
        if len(alike) < _OF_A_LENGTH and all(head != found[0] for head, *_ in alike):
            alike.append((found[0], known, form, found[1]))
            self._kept_bytes += len(raw) + form.size_bytes


def _placed(lane: Lane, response: InferResponse) -> bytes:
    text: bytes = encode_response(response).SerializeToString()
    return text


def _writer() -> Write:
    """Writes answers whose texts are the same while the shapes are."""
    shapes: list[tuple[int, ...]] = []
    texts: list[bytes] = []

    def write(lane: Lane, results: list[Array]) -> bytes:
        nonlocal shapes, texts
        given = [array.shape for array in results]
        if given != shapes:
            texts, shapes = texts_before(lane.response(results)), given
        parts: list[Any] = []
        for text, array in zip(texts, results, strict=True):
            parts += (text, array)
        return b"".join(parts)

    return write
