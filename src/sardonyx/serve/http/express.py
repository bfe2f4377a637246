"""Whole requests whose bytes are known but for their tensors: answered without being parsed.

Decides which bytes stand for a request that was met before, headers and all. The lanes of serve/lane.py do
the work; what they do not take, the parser of HTTP gets. Must not know connections.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import partial

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.known import Read, list_text, raw_reader, text_reader, texts_around
from sardonyx.protocol.messages import Context, InferRequest, InferResponse
from sardonyx.protocol.rest import NonFinite, encode_response, wanted_binary
from sardonyx.serve.core import Core
from sardonyx.serve.http.exchange import BINARY, Answer, Headers, head_of
from sardonyx.serve.lane import (
    MET,
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

HEADER_LENGTH = b"inference-header-content-length"
_END = b"\r\n\r\n"
_DATA = b'"data"'
_OURS = frozenset({"binary_data_output", "binary_data"})
_CHANGING = (b"accept-encoding", b"content-encoding", b"upgrade")
"""Headers with which an answer is more than its tensors, or the connection no longer HTTP."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_HEADS_KEPT, _LENGTHS_KEPT, _MOST_KEPT_BYTES = 256, 1024, 1 << 24
_LONGEST_HEAD, _LONGEST_TEXT = 4096, 4096


@dataclass(frozen=True, slots=True)
class _Head:
    """What the bytes before a body say: `known` is the request without tensors, sizes are in bytes.

    `forms` by the texts that they are known by, None for one whose tensors cannot be told from it.
    """

    known: InferRequest
    length: int
    text_length: int | None
    forms: dict[bytes, tuple[Form, Read] | None]


@dataclass(frozen=True, slots=True)
class Met:
    """A request that came alone in `data`, how it was read and what was answered."""

    data: bytes
    path: bytes
    headers: Headers
    request: InferRequest
    response: InferResponse


class Express:
    """The requests that were met; at first none are."""

    def __init__(self, core: Core) -> None:
        self.answered = 0
        self._core = core
        self._heads: dict[tuple[bytes, bytes], _Head] = {}
        self._by_length: dict[bytes, _Head] = {}
        self._forms: dict[bytes, dict[bytes, tuple[Form, Read] | None]] = {}
        self._kept_bytes = 0

    def answer(self, data: bytes) -> bytes | Unanswered:
        """The whole answer to a whole request, if it needs no parsing. Raises ServeError."""
        received_ns = time.perf_counter_ns()
        start = data.find(_END) + 4
        head = self._by_length.get(data[:start]) or self._of_another_length(data[:start])
        if head is None or len(data) - start != head.length:
            return UNMET
        end = _end_of_text(data, start, head.text_length)
        text = data[start:end]
        if text not in head.forms:
            return UNMET
        met = head.forms[text]
        if met is None:
            return MET
        form, read = met
        known = head.known
        lane = form.lane(known)
        if isinstance(lane, Unanswered):
            return lane
        context = known.context
        context.principal = self._core.guard.admit(context.headers, "infer", known.model)
        if not read(data, end):
            return lane.left(context.principal)
        self.answered += 1
        return lane.answer(known, received_ns)

    def _of_another_length(self, text: bytes) -> _Head | None:
        """The head that is a known one but for the length of its body."""
        parts = _without_length(text)
        found = self._heads.get(parts) if parts is not None else None
        if parts is None or found is None:
            return None
        length = int(text[len(parts[0]) : -len(parts[1])])
        if length > self._core.options.max_body_bytes:
            return None
        if len(self._by_length) >= _LENGTHS_KEPT:
            self._by_length.clear()
        head = self._by_length[text] = replace(found, length=length)
        return head

    def learn(self, met: Met) -> None:
        """Remember a request that was answered, if others can be like it."""
        start = met.data.find(_END) + 4
        lead, length = met.data[:start], len(met.data) - start
        if int(met.headers.raw[b"content-length"]) != length or start > _LONGEST_HEAD:
            return
        parts = _without_length(lead)
        if parts is None or any(name in met.headers.raw for name in _CHANGING):
            return
        request, text_length = met.request, met.headers.number(HEADER_LENGTH)
        if not has_form(request, _OURS):
            return
        if len(self._heads) >= _HEADS_KEPT or self._kept_bytes >= _MOST_KEPT_BYTES:
            self._forget()
        known = InferRequest(request.model, [], request.version, context=Context("http", met.headers))
        forms = self._forms.setdefault(met.path, {})
        self._heads[parts] = self._by_length[lead] = _Head(known, length, text_length, forms)
        end = _end_of_text(met.data, start, text_length)
        if met.data[start:end] not in forms and end - start <= _LONGEST_TEXT:
            found = self._form(met, known, start)
            if found is None:
                forms[met.data[start:end]] = None
                self._kept_bytes += end - start
            else:
                forms[found[0]] = found[1:]
                self._kept_bytes += len(found[0]) + found[1].size_bytes

    def _forget(self) -> None:
        self._heads.clear()
        self._by_length.clear()
        self._forms.clear()
        self._kept_bytes = 0

    def _form(self, met: Met, known: InferRequest, start: int) -> tuple[bytes, Form, Read] | None:
        """The form of a request, with the text that it is known by; None if it has none."""
        kinds = set(wanted_binary(met.response, met.request).values())
        if len(kinds) != 1:
            return None
        write = _raw_writer if kinds == {True} else partial(_text_writer, self._core.options.non_finite)
        if is_placed(met.request):
            write = partial(placing_writer, _placed)
        form = Form(self._core, met.request, known.context, write)
        text_length = met.headers.number(HEADER_LENGTH)
        if lies_outside(met.request):
            fill = self._core.regions.reader(met.request.inputs, form.feeds)
            end = _end_of_text(met.data, start, text_length)
            return met.data[start:end], form, lambda body, at: at == len(body) and fill()
        if text_length is not None:
            return met.data[start : start + text_length], form, raw_reader(form.feeds)
        found = text_reader(met.data[start:], form.asked, form.feeds)
        return None if found is None else (found[0], form, found[1])


def _end_of_text(data: bytes, start: int, length: int | None) -> int:
    """Where tensors begin in a body that has so many bytes of JSON before them, None = nothing but JSON."""
    if length is not None:
        return start + length
    end = data.find(_DATA, start)
    return len(data) if end < 0 else end


def _without_length(head: bytes) -> tuple[bytes, bytes] | None:
    """What stands before and after the number of bytes that follow."""
    match = _LENGTH.search(head)
    return None if match is None else (head[: match.start(1)], head[match.end(1) :])


def _raw_writer() -> Write:
    """Writes answers whose tensors follow their JSON; the text is the same while the shapes are."""
    shapes: list[tuple[int, ...]] = []
    head = b""

    def write(lane: Lane, results: list[Array]) -> bytes:
        nonlocal shapes, head
        given = [array.shape for array in results]
        if given != shapes:
            text, blobs = encode_response(lane.response(results), lane.asked)
            extra = [(HEADER_LENGTH, b"%d" % len(text))]
            length = len(text) + sum(map(len, blobs))
            head, shapes = head_of(Answer(text, BINARY, extra), length) + text, given
        return b"".join((head, *results))  # type: ignore[arg-type]

    return write


def _placed(lane: Lane, response: InferResponse) -> bytes:
    text, _ = encode_response(response, lane.asked)
    return head_of(Answer(text), len(text)) + text


def _text_writer(non_finite: NonFinite) -> Write:
    """Writes answers in JSON alone."""
    shapes: list[tuple[int, ...]] = []
    texts: list[bytes] = []
    head = b""

    def write(lane: Lane, results: list[Array]) -> bytes:
        nonlocal shapes, texts, head
        given = [array.shape for array in results]
        if given != shapes:
            texts, shapes = texts_around(lane.response(results), lane.asked), given
            head = head_of(Answer(b""), 0).removesuffix(b"0" + _END)
        parts = [texts[0]]
        for array, text in zip(results, texts[1:], strict=True):
            numbers = list_text(array)
            if numbers is None:
                body, _ = encode_response(lane.response(results), lane.asked, non_finite)
                parts = [body]
                break
            parts += (numbers, text)
        body = b"".join(parts)
        return b"%b%d%b%b" % (head, len(body), _END, body)

    return write
