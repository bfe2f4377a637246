"""One HTTP request and its answer in ASGI's terms: headers, the body within bounds, the parts of a response.

Must not know the protocol that is spoken.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, overload

import orjson

from sardonyx.protocol.datatypes import Buffer
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.gradual import LONG, parse_gradually
from sardonyx.protocol.messages import REQUEST_ID, Context
from sardonyx.protocol.rest import parse

T = TypeVar("T")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Extra = Sequence[tuple[bytes, bytes]]
Reader = Callable[[bytes], Generator[None, None, Any]]
"""Reads JSON a piece at a time."""
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = (b"content-type", b"application/json")
_DIGITS = 18
_REQUEST_ID = REQUEST_ID.encode()
HTML = (b"content-type", b"text/html; charset=utf-8")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
BINARY = (b"content-type", b"application/octet-stream")


class Headers(Mapping[str, str]):
    """The headers of a request by name in lower case, decoded when they are asked for."""

    __slots__ = ("raw",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self.raw[name.encode("latin-1", "replace")].decode("latin-1")

    @overload
    def get(self, name: str, /) -> str | None: ...

    @overload
    def get(self, name: str, default: T, /) -> str | T: ...

    def get(self, name: str, default: Any = None, /) -> Any:
        """The value of a header, or the default; what is not there costs no exception."""
        found = self.raw.get(name.encode("latin-1", "replace"))
        return default if found is None else found.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (key.decode("latin-1") for key in self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def number(self, name: bytes) -> int | None:
        """A header that must be a number from 0 on; None if it is not there."""
        text = self.raw.get(name)
        if text is None:
            return None
        if not (text.isdigit() and len(text) <= _DIGITS):
            raise invalid(f"header {name.decode()} must be a number of bytes, got '{text.decode('latin-1')}'")
        return int(text)


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The whole body; TOO_LARGE beyond `limit` bytes, at once if told; CANCELLED if the client leaves."""
    told = headers.raw.get(b"content-length", b"")
    is_told_larger = told.isdigit() and int(told) > limit
    size, parts, has_more = 0, list[bytes](), not is_told_larger
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ServeError(Code.CANCELLED, "the client left")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        has_more = size <= limit and message.get("more_body", False)
    if is_told_larger or size > limit:
        raise ServeError(Code.TOO_LARGE, f"the body is larger than the limit of {limit} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def document_of(text: Buffer, read: Reader = parse_gradually) -> Any:
    """The JSON document of a body; other requests have their turn while a long one is read."""
    if len(text) <= LONG:
        return parse(text)
    reading = read(bytes(text))
    while True:
        try:
            next(reading)
        except StopIteration as done:
            return done.value
        await asyncio.sleep(0)


@dataclass(slots=True)
class Answer:
    """A response: `blobs` follow the body as they lie in memory."""

    body: bytes
    kind: tuple[bytes, bytes] = JSON
    extra: Sequence[tuple[bytes, bytes]] = ()
    blobs: Sequence[memoryview] = ()
    status: int = 200


def head_of(answer: Answer, length: int, *, keep_alive: bool = True) -> bytes:
    """Status line and headers of a response with so many bytes of body, for those who write to the wire."""
    lines = [
        b"HTTP/1.1 %d %b" % (answer.status, HTTPStatus(answer.status).phrase.encode()),
        b"content-type: " + answer.kind[1],
        b"content-length: %d" % length,
    ]
    lines += [b"%b: %b" % pair for pair in answer.extra]
    if not keep_alive:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b""])


async def respond(
    send: Send, status: int, body: bytes, *, kind: tuple[bytes, bytes] = JSON, extra: Extra = ()
) -> None:
    """Send a response that is one piece."""
    await send_answer(send, Answer(body, kind, extra, (), status))


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a response."""
    body, blobs = answer.body, answer.blobs
    length = len(body) + sum([len(blob) for blob in blobs])
    headers = [answer.kind, (b"content-length", b"%d" % length), *answer.extra]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for blob in blobs:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = blob  # type: ignore[assignment]
    await send({"type": "http.response.body", "body": body})


async def send_events(send: Send, events: AsyncIterator[bytes], extra: Extra = ()) -> None:
    """Send server-sent events as they come; what is raised before the first one is the caller's to answer."""
    try:
        first = await anext(events)
    except StopAsyncIteration:
        first = b""
    headers = [EVENTS, (b"cache-control", b"no-cache"), *extra]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if first:
        await send({"type": "http.response.body", "body": b"data: %b\n\n" % first, "more_body": True})
        async for event in events:
            await send({"type": "http.response.body", "body": b"data: %b\n\n" % event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def name_of(request_id: str) -> list[tuple[bytes, bytes]]:
    """The header that tells a client the id of its request, if that has one."""
    return [(_REQUEST_ID, request_id.encode("latin-1"))] if request_id else []


def refusal(error: ServeError, headers: Headers) -> Answer:
    """An error in the protocol's form, with Retry-After if that makes sense, for who sent `headers`."""
    extra = name_of(error.request_id or Context(headers=headers).told_id)
    if error.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % math.ceil(error.retry_after_s)))
    return Answer(orjson.dumps({"error": error.message}), extra=extra, status=error.code.http)


async def refuse(send: Send, error: ServeError, scope: Scope) -> None:
    """Send an error to who asked."""
    await send_answer(send, refusal(error, Headers(scope["headers"])))


def on_disconnect(receive: Receive, leave: Callable[[], None]) -> Callable[[], object]:
    """Call `leave` if the client goes away, until what is returned is called. The body must be read."""

    async def watch() -> None:
        if (await receive())["type"] == "http.disconnect":
            leave()

    task = asyncio.get_running_loop().create_task(watch())
    return task.cancel
