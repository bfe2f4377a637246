"""Bodies are inflated within bounds, all members of them, and answers deflated as asked."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
import time
import zlib
from typing import Any

import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.http import coding as codings
from sardonyx.serve.http.coding import accepted
from sardonyx.serve.http.exchange import Headers

TEXT = b"tensor " * 100


def decoded(*given: Any) -> Any:
    return asyncio.run(codings.decoded(*given))


def encoded(*given: Any) -> bytes:
    return asyncio.run(codings.encoded(*given))


def headers(name: bytes = b"content-encoding", value: bytes = b"gzip") -> Headers:
    return Headers([(name, value)])


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(TEXT)),
        (b"gzip", gzip.compress(TEXT[:300]) + gzip.compress(TEXT[300:])),
        (b" GZIP ", gzip.compress(TEXT)),
        (b"deflate", zlib.compress(TEXT)),
        (b"deflate", zlib.compress(TEXT)[2:-4]),
        (b"identity", TEXT),
    ],
)
def test_every_coding(coding: bytes, body: bytes) -> None:
    assert bytes(decoded(body, headers(value=coding), 1000)) == TEXT


def test_without_a_coding_the_body_is_itself() -> None:
    body = memoryview(b"abc")
    assert decoded(body, Headers([]), 1) is body


@pytest.mark.parametrize("members", [1, 3])
def test_a_body_that_inflates_too_far_is_stopped(members: int) -> None:
    with pytest.raises(ServeError) as error:
        decoded(gzip.compress(TEXT) * members, headers(), len(TEXT) * members - 1)
    assert error.value.code is Code.TOO_LARGE
    assert len(decoded(gzip.compress(TEXT) * members, headers(), len(TEXT) * members)) == len(TEXT) * members


@pytest.mark.parametrize(
    ("coding", "body", "code"),
    [
        (b"gzip", gzip.compress(TEXT)[:-9], Code.INVALID_ARGUMENT),
        (b"gzip", gzip.compress(TEXT) + b"rest", Code.INVALID_ARGUMENT),
        (b"gzip", b"plain", Code.INVALID_ARGUMENT),
        (b"deflate", zlib.compress(TEXT) + b"rest", Code.INVALID_ARGUMENT),
        (b"br", b"", Code.MEDIA),
    ],
)
def test_damaged_bodies_are_refused(coding: bytes, body: bytes, code: Code) -> None:
    with pytest.raises(ServeError) as error:
        decoded(body, headers(value=coding), 10_000)
    assert error.value.code is code


def test_answers() -> None:
    assert accepted(headers(b"accept-encoding", b"GZIP")) == "gzip"
    assert accepted(headers(b"accept-encoding", b"gzip, deflate, br")) is None
    assert accepted(Headers([])) is None
    assert gzip.decompress(encoded("gzip", [b"a", memoryview(b"bc")])) == b"abc"
    assert zlib.decompress(encoded("deflate", [b"a", b"bc"])) == b"abc"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_long_bodies_and_answers_are_whole(coding: str) -> None:
    content = os.urandom(100_000) + bytes(300_000) + os.urandom(100_000)
    body = encoded(coding, [content[:200_000], content[200_000:]])
    assert decoded(body, headers(value=coding.encode()), len(content)) == content
    with pytest.raises(ServeError):
        decoded(body[:-1], headers(value=coding.encode()), len(content))


def test_many_members_take_no_longer_than_one() -> None:
    body = gzip.compress(b"") * 300_000
    began = time.process_time()
    assert decoded(body, headers(), 10) == b""
    assert time.process_time() - began < 20


def test_long_bodies_are_inflated_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    make = zlib.decompressobj

    class Watched:
        def __init__(self, *given: Any) -> None:
            self._inflate = make(*given)

        def decompress(self, *given: Any) -> bytes:
            seen.add(threading.current_thread())
            return self._inflate.decompress(*given)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inflate, name)

    monkeypatch.setattr(codings.zlib, "decompressobj", Watched)
    assert decoded(gzip.compress(TEXT), headers(), 1000) == TEXT
    assert seen == {threading.current_thread()}
    with pytest.raises(ServeError):
        decoded(gzip.compress(bytes(1 << 24)), headers(), 1 << 23)
    assert len(seen) == 2
