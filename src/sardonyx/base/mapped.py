"""Files mapped into memory to be read: an array inside one knows where it lies, and its pages can be let go.

Must not know what the files hold.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray[Any, Any]
NO_HANDLE: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) and os.name == "posix" else {}
"""Makes a mapping keep no handle of its file: a process may have 1,024 of these, and as many sessions."""


class MappedFile(mmap.mmap):
    """A file mapped read-only, and where it is."""

    path: Path


def map_file(path: Path) -> MappedFile | bytes:
    """A file as bytes in memory. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return b""
        mapped = MappedFile(file.fileno(), 0, access=mmap.ACCESS_READ, **NO_HANDLE)
    mapped.path = path
    return mapped


def place_of(array: Array) -> tuple[MappedFile, int] | None:
    """The mapped file whose bytes a contiguous array is, and at which byte it begins."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    file = base.obj if isinstance(base, memoryview) else base
    if not isinstance(file, MappedFile) or not array.flags.c_contiguous:
        return None
    return file, array.ctypes.data - np.frombuffer(file, np.uint8).ctypes.data


def let_go(array: Array) -> None:
    """Give back the memory of an array in a mapped file; the next read loads it from the file again."""
    found = place_of(array)
    if found is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    file, at = found
    first = -(-at // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (at + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
    if size > 0:
        file.madvise(mmap.MADV_DONTNEED, first, size)
