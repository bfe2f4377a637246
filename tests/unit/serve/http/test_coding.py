"""Bodies are inflated within bounds, all members of them, and answers deflated as asked."""

from __future__ import annotations

import gzip
import zlib

import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.serve.http.coding import accepted, decoded, encoded
from sardonyx.serve.http.exchange import Headers

TEXT = b"tensor " * 100


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
