"""A digest tells contents apart, in the size asked for, whether they come in one piece or in several."""

from __future__ import annotations

import hashlib

import pytest

from sardonyx.base.digest import begun


@pytest.mark.parametrize("size_bytes", [16, 32])
def test_a_digest_is_that_of_hashlib(size_bytes: int) -> None:
    whole = begun(b"a content", size_bytes)
    pieces = begun(size_bytes=size_bytes)
    pieces.update(b"a ")
    pieces.update(memoryview(b"content"))
    assert whole.digest() == pieces.digest() == hashlib.blake2b(b"a content", digest_size=size_bytes).digest()
    assert whole.digest() != begun(b"a content.", size_bytes).digest()
