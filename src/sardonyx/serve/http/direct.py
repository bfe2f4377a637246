"""Connections that read inference requests themselves: body into its place at once, answer without a task.

A subclass of uvicorn's protocol. Requests to `/v2/models/NAME/infer` with a Content-Length take this way; all
others, and those that come while another is answered, go on to the ASGI application. Bounds how long a client
may take for headers, a body, or reading its answer. Must not know how a model runs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import numpy as np
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.rest import write
from sardonyx.serve.http.app import DataPlane
from sardonyx.serve.http.eager import start
from sardonyx.serve.http.exchange import Answer, Headers, head_of, refusal
from sardonyx.serve.http.express import HEADER_LENGTH
from sardonyx.serve.lane import UNMET, Unanswered
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.settings import LOGGER

_LONGEST_HEAD = 1 << 16
"""Bytes of a request line with its headers; what comes in one piece may be longer."""
_PREFIX, _SUFFIX = b"/v2/models/", b"/infer"
_LENGTH = b"content-length"
_CODED = (b"transfer-encoding", b"expect")
_ALIGNMENT = 64
LAST_BODY_S = 2.0
"""So long a request may still be on its way when the server ends."""
_MOST_DROPPED_HEAD, _MOST_DROPPED_BODY, _LONGEST_DROPPING_S = 1 << 24, 1 << 30, 30.0
"""Bytes and seconds of reading what an answer did not wait for: closing before that would lose the answer."""
_SMALL = 1 << 12
_JOINED = 1 << 16


def protocol_class(plane: DataPlane, options: ServeOptions) -> type[asyncio.Protocol]:
    """The protocol of uvicorn's configuration that answers inference by `plane`."""
    return type("BoundConnection", (Connection,), {"plane": plane, "options": options})


class Connection(HttpToolsProtocol):
    """One connection."""

    plane: DataPlane
    options: ServeOptions
    cycle: Any
    _exchange: _Exchange | None = None
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _reading = _ending = False
    _head_bytes: int | None = None
    _to_drop_bytes = 0
    _alone = b""
    _known: Unanswered = UNMET
    _answered_s = -math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came: it has a while to say something."""
        super().connection_made(transport)
        self._late = self.loop.call_later(self.options.client_s, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left: what it asked is cancelled."""
        self._in_time()
        self._is_read()
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.left()

    def data_received(self, data: bytes) -> None:
        """Answer a known request; else read on, and a request that is begun must be complete in time."""
        if self._to_drop_bytes > 0:
            self._drop(len(data))
            return
        self._alone, self._known = b"", UNMET
        if not self._reading and (self.cycle is None or self.cycle.response_complete):
            if self._is_answered(data):
                return
            if not self._known.is_met:
                self._alone = data
        super().data_received(data)
        if self._to_drop_bytes > 0:
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _LONGEST_HEAD:
                self._refuse_head()
                return
        self._expect_the_rest()

    def _is_answered(self, data: bytes) -> bool:
        """Whether the bytes are a request that is known, which has its answer then."""
        if self.flow.write_paused:
            return False
        try:
            answer = self.plane.express.answer(data)
        except ServeError as error:
            answer = _whole(refusal(error, Headers(())))
        except Exception:
            LOGGER.exception("an inference failed")
            answer = _whole(refusal(_fault(), Headers(())))
        if isinstance(answer, Unanswered):
            self._known = answer
            return False
        self.transport.write(answer)
        self.server_state.total_requests += 1
        self._answered_s = self.loop.time()
        if self._late is not None:
            self._in_time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_handler()
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was answered by a parsed request for long: close, unless one was that needed no parsing."""
        if self._to_drop_bytes > 0:
            return
        left_s = self._answered_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """The server ends: what was received is answered, what is on its way has a short while."""
        self._ending = True
        self._in_time()
        self._expect_the_rest()
        super().shutdown()

    def on_response_complete(self) -> None:
        """A request is answered; the one behind it, if it is begun, must be complete in time from now on."""
        if self._to_drop_bytes > 0:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        self._expect_the_rest()

    def _expect_the_rest(self) -> None:
        """Give a request on its way its time, once those before it on this connection are answered."""
        if self._late is not None or self.parser is None or not self._reading:
            return
        if self._head_bytes is not None:
            is_in_turn = self.cycle is None or self.cycle.response_complete
        else:
            is_in_turn = not self.pipeline
        if not is_in_turn:
            return
        if self._ending:
            left_s = min(LAST_BODY_S, self.options.drain_s, self.options.client_s)
            self._late = self.loop.call_later(left_s, self._ends)
        else:
            self._late = self.loop.call_later(self.options.client_s, self._too_late)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are there: choose the way."""
        self._head_bytes = None
        url = self.url
        idle = self.cycle is None or self.cycle.response_complete
        if (
            url.startswith(_PREFIX)
            and url.endswith(_SUFFIX)
            and idle
            and not self.flow.write_paused
            and self.parser.get_method() == b"POST"
        ):
            headers = Headers(self.headers)
            raw = headers.raw
            length = raw.get(_LENGTH)
            is_page = b"origin" in raw and bool(self.options.cors_origins)
            is_whole = not is_page and not any(name in raw for name in _CODED)
            if length is not None and length.isdigit() and is_whole:
                self._exchange = self.cycle = _Exchange(self, url, headers, int(length))
                return
        self._exchange = None
        super().on_headers_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.transport = _Kept(self)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._exchange is not None:
            self._exchange.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._reading = False
        self._in_time()
        if self._to_drop_bytes > 0:
            self.transport.close()
            return
        if self._exchange is not None:
            self._exchange.complete()
        else:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client reads slowly: it has a while."""
        super().pause_writing()
        self._is_read()
        self._unread = self.loop.call_later(self.options.client_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._is_read()

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse_head(self) -> None:
        """Say that there are too many headers, and hear no more of them."""
        self._head_bytes = None
        text = f"the request line and headers are longer than {_LONGEST_HEAD} bytes"
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)

    def send_400_response(self, msg: str) -> None:
        """Say that this is not HTTP, and hear no more of it."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        text = write({"error": message})
        self.transport.write(head_of(Answer(text, status=status), len(text), keep_alive=False) + text)
        self.leave(_MOST_DROPPED_HEAD)

    def leave(self, most_bytes: int = _MOST_DROPPED_BODY) -> None:
        """Close, once the client has its answer: what it still sends is read first, within bounds."""
        if not self._reading or self._ending or self.transport.is_closing():
            self.transport.close()
            return
        self._in_time()
        if self.cycle is not None:
            self.cycle.disconnected = True
        self._to_drop_bytes = most_bytes
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        left_s = min(_LONGEST_DROPPING_S, self.options.client_s)
        self._late = self.loop.call_later(left_s, self._too_late)

    def _drop(self, size: int) -> None:
        self._to_drop_bytes = max(1, self._to_drop_bytes - size)
        if self._to_drop_bytes == 1:
            self.transport.close()

    def _ends(self) -> None:
        if self._exchange is not None:
            why = "the server ends before the request is complete"
            self._exchange._answer_error(ServeError(Code.UNAVAILABLE, why, 1.0))
        self._too_late()

    def _too_late(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()


class _Exchange:
    """A request that is read and answered here; looks to the protocol as uvicorn's own do."""

    __slots__ = (
        "_body",
        "_connection",
        "_fed",
        "_headers",
        "_leave",
        "_length",
        "_url",
        "disconnected",
        "keep_alive",
        "message_event",
        "response_complete",
    )

    def __init__(self, connection: Connection, url: bytes, headers: Headers, length: int) -> None:
        self._connection = connection
        self._url = url
        self._headers = headers
        self._length = length
        self._fed = 0
        self._leave: Callable[[], None] | None = None
        self.disconnected = False
        self.response_complete = False
        self.keep_alive = (
            connection.parser.get_http_version() != "1.0" and connection.parser.should_keep_alive()
        )
        self.message_event = _NoEvent
        limit = connection.options.max_body_bytes
        self._body: Any = _room(length, headers) if _SMALL < length <= limit else b""
        if length > limit:
            self.keep_alive = False
            self._answer_error(
                ServeError(Code.TOO_LARGE, f"the body is larger than the limit of {limit} bytes")
            )

    def feed(self, part: bytes) -> None:
        """Put a part of the body where it belongs."""
        if self.response_complete:
            return
        if self._length <= _SMALL:
            self._body = self._body + part if self._body else part
        else:
            self._body[self._fed : self._fed + len(part)] = part
            self._fed += len(part)

    def complete(self) -> None:
        """All is there: answer, at once if it takes little time."""
        if self.response_complete:
            return
        connection = self._connection
        alone = connection._alone if self.keep_alive else b""
        work = connection.plane.answer_inference(
            self._url, self._headers, self._body, self._on_leave, connection._known, alone
        )
        self._body = b""
        try:
            answer = start(work, connection.loop)
        except ServeError as error:
            self._answer_error(error)
            return
        except Exception:
            self._answer_fault()
            return
        if isinstance(answer, asyncio.Task):
            connection.tasks.add(answer)  # type: ignore[arg-type]
            answer.add_done_callback(self._done)
        else:
            self._write(answer)

    def left(self) -> None:
        """The client is gone."""
        self.disconnected = True
        if self._leave is not None:
            self._leave()

    def _on_leave(self, leave: Callable[[], None]) -> Callable[[], object]:
        self._leave = leave
        if self.disconnected:
            leave()
        return partial(setattr, self, "_leave", None)

    def _done(self, task: asyncio.Task[Answer]) -> None:
        self._connection.tasks.discard(task)
        if task.cancelled():
            self._connection.transport.close()
            return
        error = task.exception()
        if error is None:
            self._write(task.result())
        elif isinstance(error, ServeError):
            self._answer_error(error)
        else:
            LOGGER.error("an inference failed", exc_info=error)
            self._answer_error(_fault())

    def _answer_fault(self) -> None:
        LOGGER.exception("an inference failed")
        self._answer_error(_fault())

    def _answer_error(self, error: ServeError) -> None:
        self._write(refusal(error, self._headers))

    def _write(self, answer: Answer) -> None:
        if self.response_complete or self.disconnected:
            return
        connection = self._connection
        blobs = answer.blobs
        length = len(answer.body) + sum([len(blob) for blob in blobs])
        head = head_of(answer, length, keep_alive=self.keep_alive)
        if length <= _JOINED:
            connection.transport.write(b"".join([head, answer.body, *blobs]))
        else:
            connection.transport.writelines([head + answer.body, *blobs])
        self.response_complete = True
        if not self.keep_alive:
            connection.leave()
        connection.on_response_complete()


class _Kept:
    """The transport of a connection, for those who close it as soon as they have answered."""

    __slots__ = ("_connection", "write")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.write = connection.transport.write

    def is_closing(self) -> bool:
        """Whether nobody reads any more."""
        return self._connection.transport.is_closing()

    def close(self) -> None:
        """Close, once the client has its answer."""
        self._connection.leave()


class _NoEvent:
    """Nobody waits for messages of such an exchange."""

    @staticmethod
    def set() -> None:
        """Nothing."""


def _room(length: int, headers: Headers) -> memoryview:
    """Memory for a body such that the tensors, which follow the JSON, begin at a multiple of 64."""
    text = headers.raw.get(HEADER_LENGTH, b"0")
    ahead = int(text) if text.isdigit() and len(text) < 12 else 0
    whole = np.empty(length + _ALIGNMENT, np.uint8)
    address: int = whole.__array_interface__["data"][0]
    skip = -(address + ahead) % _ALIGNMENT
    return whole[skip : skip + length].data


def _whole(answer: Answer) -> bytes:
    return head_of(answer, len(answer.body)) + answer.body


def _fault() -> ServeError:
    return ServeError(Code.INTERNAL, "the server met a fault of its own; its log says which")
