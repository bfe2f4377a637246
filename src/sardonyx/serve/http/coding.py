"""gzip and deflate of bodies, inflated within bounds.

Must not know what bodies mean.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain

from sardonyx.protocol.datatypes import Buffer
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.serve.http.exchange import Headers

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_RAW_DEFLATE = -zlib.MAX_WBITS
_LEVEL = 1
_PIECE = 1 << 16
"""Bytes that go through zlib at once; more than one piece is not for the event loop."""


async def decoded(body: Buffer, headers: Headers, limit: int) -> Buffer:
    """The body without its Content-Encoding; TOO_LARGE if it inflates beyond `limit` bytes.

    Does not wait for short bodies; others are inflated on another thread.
    """
    name = headers.raw.get(b"content-encoding")
    if name is None:
        return body
    coding = name.decode("latin-1").strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _WINDOW_BITS:
        raise ServeError(
            Code.MEDIA, f"Content-Encoding '{coding}' is unknown; {' and '.join(_WINDOW_BITS)} are understood"
        )
    try:
        return await _inflated(body, _WINDOW_BITS[coding], limit)
    except zlib.error as error:
        if coding == "deflate":
            try:
                return await _inflated(body, _RAW_DEFLATE, limit)
            except zlib.error:
                pass
        raise invalid(f"the body is not valid {coding} data: {error}") from None


async def _inflated(body: Buffer, window_bits: int, limit: int) -> bytes:
    inflating = _inflate(body, window_bits, limit)
    first = next(inflating, b"")
    second = next(inflating, None)
    if second is None:
        return first
    return await asyncio.to_thread(b"".join, chain((first, second), inflating))


def _inflate(body: Buffer, window_bits: int, limit: int) -> Iterator[bytes]:
    """The bytes of a body, a piece at a time; gzip may come in several members one after the other."""
    view, at, left = memoryview(body), 0, limit
    inflate, rest = zlib.decompressobj(window_bits), b""
    while rest or at < len(view):
        if not rest:
            rest = bytes(view[at : at + _PIECE])
            at += len(rest)
        if inflate.eof:
            if window_bits != _WINDOW_BITS["gzip"]:
                raise invalid("more bytes follow the end of the compressed body")
            inflate = zlib.decompressobj(window_bits)
        piece = inflate.decompress(rest, _PIECE)
        rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        left -= len(piece)
        if left < 0:
            raise ServeError(Code.TOO_LARGE, f"the body inflates to more than the limit of {limit} bytes")
        if piece:
            yield piece
    if not inflate.eof:
        raise invalid("the compressed body ends too early")


def accepted(headers: Headers) -> str | None:
    """The coding in which a client wants the answer; None for none.

    It names that one alone: most clients list all they know, and tensors take long to deflate.
    """
    accepts = headers.raw.get(b"accept-encoding")
    if accepts is None:
        return None
    name = accepts.decode("latin-1").strip().lower()
    return name if name in _WINDOW_BITS else None


async def encoded(coding: str, parts: Sequence[Buffer]) -> bytes:
    """The parts one after the other in that coding; long ones are deflated on another thread."""
    if sum(map(len, parts)) <= _PIECE:
        return _deflated(coding, parts)
    return await asyncio.to_thread(_deflated, coding, parts)


def _deflated(coding: str, parts: Sequence[Buffer]) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[coding])
    return b"".join([*(deflate.compress(part) for part in parts), deflate.flush()])
