"""Digests of contents; of large ones the SHA-256 of those of their parts, which threads make.

Must not know what is in a content.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sardonyx.base.background import Background
from sardonyx.base.digest import begun
from sardonyx.runtime import cores

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_PART_BYTES = 16 << 20
_MOST_THREADS = 8
WAY = f"BLAKE2, or SHA-256 of parts of {_PART_BYTES}"
"""What tells a digest that is kept from one that was made in another way."""


def digest_of(content: Bytes) -> str:
    """The digest of bytes in memory."""
    return _joined(content.nbytes, lambda begin, end: content[begin:end])


def read(path: str | os.PathLike[str]) -> tuple[Bytes, str]:
    """The content of a file, read-only, and its digest. Raises OSError if it cannot be read."""
    # In memory of numpy's, which asks for huge pages: bytes of Python would come page by page.
    content = np.empty(os.stat(path).st_size, np.uint8)
    digest = _joined(content.nbytes, lambda begin, end: _fill(content[begin:end], path, begin))
    content.flags.writeable = False
    return content, digest


def file_digest(path: str | os.PathLike[str]) -> str:
    """The digest of a file's content. Raises OSError if it cannot be read."""
    size = os.stat(path).st_size
    return _joined(size, lambda begin, end: _fill(np.empty(end - begin, np.uint8), path, begin))


def _fill(part: Bytes, path: str | os.PathLike[str], begin: int) -> Bytes:
    with open(path, "rb", 0) as file:
        file.seek(begin)
        at = 0
        while at < part.nbytes:
            count = file.readinto(part[at:].data)
            if not count:
                raise OSError(errno.EIO, "it became shorter while it was read", str(path))
            at += count
    return part


def _joined(size: int, part: Callable[[int, int], Bytes]) -> str:
    """The digest of so many bytes, given a way to any part of them."""
    if size <= _PART_BYTES:
        return begun(part(0, size).data).hexdigest()
    from hashlib import sha256  # takes a while to load, and is faster from there on

    begins = range(0, size, _PART_BYTES)
    threads = min(len(begins), cores.team_size(), _MOST_THREADS)

    def digests(first: int) -> list[bytes]:
        """Of every part from this one on that no other thread looks at."""
        ends = (min(begin + _PART_BYTES, size) for begin in begins[first::threads])
        parts = zip(begins[first::threads], ends, strict=True)
        return [sha256(part(begin, end).data).digest() for begin, end in parts]

    others = [Background(partial(digests, first)) for first in range(1, threads)]
    made = [digests(0), *(other.result() for other in others)]
    in_order = (made[number % threads][number // threads] for number in range(len(begins)))
    return sha256(b"".join(in_order)).hexdigest()
