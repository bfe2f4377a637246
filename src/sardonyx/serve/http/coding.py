"""gzip and deflate of bodies, inflated within bounds.

Must not know what bodies mean.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from sardonyx.protocol.datatypes import Buffer
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.serve.http.exchange import Headers

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_RAW_DEFLATE = -zlib.MAX_WBITS
_LEVEL = 1


def decoded(body: Buffer, headers: Headers, limit: int) -> Buffer:
    """The body without its Content-Encoding; TOO_LARGE if it inflates beyond `limit` bytes."""
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
        return _inflated(body, _WINDOW_BITS[coding], limit)
    except zlib.error as error:
        if coding == "deflate":
            try:
                return _inflated(body, _RAW_DEFLATE, limit)
            except zlib.error:
                pass
        raise invalid(f"the body is not valid {coding} data: {error}") from None


def _inflated(body: Buffer, window_bits: int, limit: int) -> bytes:
    """The bytes of a body; gzip may come in several members one after the other."""
    text = b""
    while True:
        inflate = zlib.decompressobj(window_bits)
        text += inflate.decompress(body, limit + 1 - len(text))
        if len(text) > limit:
            raise ServeError(Code.TOO_LARGE, f"the body inflates to more than the limit of {limit} bytes")
        if not inflate.eof:
            raise invalid("the compressed body ends too early")
        body = inflate.unused_data
        if not body:
            return text
        if window_bits != _WINDOW_BITS["gzip"]:
            raise invalid(f"{len(body)} bytes follow the end of the compressed body")


def accepted(headers: Headers) -> str | None:
    """The coding in which a client wants the answer; None for none.

    It names that one alone: most clients list all they know, and tensors take long to deflate.
    """
    accepts = headers.raw.get(b"accept-encoding")
    if accepts is None:
        return None
    name = accepts.decode("latin-1").strip().lower()
    return name if name in _WINDOW_BITS else None


def encoded(coding: str, parts: Sequence[Buffer]) -> bytes:
    """The parts one after the other in that coding."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[coding])
    return b"".join([*(deflate.compress(part) for part in parts), deflate.flush()])
