"""Digests by which contents are known again: BLAKE2.

Not of hashlib where that can be: it loads OpenSSL, which takes longer than all that a start has to digest.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter built without it
    from hashlib import blake2b

Bytes = bytes | bytearray | memoryview


def begun(data: Bytes = b"", size_bytes: int = 32) -> blake2b:
    """A digest that begins with some bytes; see `hashlib.blake2b` for how it goes on."""
    return blake2b(data, digest_size=size_bytes)
