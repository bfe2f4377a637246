"""Places a code image in executable memory.

Decides how memory is mapped on each system; must not know what the code does nor import llvmlite.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from sardonyx.errors import CompileError
from sardonyx.llvm.image import Image
from sardonyx.runtime.cache import HEADER_BYTES, Cache


class _Memory(Protocol):
    """Executable memory: its address, and its owner that must stay alive."""

    address: int


class LoadedImage:
    """A code image that can be called. The memory stays mapped as long as this object lives.

    Attributes:
        symbols: the absolute address of each public function.
        size_bytes: of the code.
    """

    def __init__(self, memory: _Memory, offsets: dict[str, int], size_bytes: int = 0) -> None:
        self._memory = memory
        self.size_bytes = size_bytes
        self.symbols = {name: memory.address + offset for name, offset in offsets.items()}

    def address(self, symbol: str) -> int:
        """The address of a function; CompileError if the image has none of that name."""
        try:
            return self.symbols[symbol]
        except KeyError:
            raise CompileError(
                f"the code image has no function {symbol}; it was built for another program"
            ) from None

    def __contains__(self, symbol: str) -> bool:
        return symbol in self.symbols


def load(image: Image) -> LoadedImage:
    """Copy an image into executable memory."""
    return LoadedImage(_copy(image.code), image.symbols, len(image.code))


def load_blob(blob: bytes | memoryview) -> LoadedImage:
    """Copy an image from the form of `Image.to_bytes` into executable memory."""
    size, offsets = Image.read_symbols(blob)
    return LoadedImage(_copy(memoryview(blob)[:size]), offsets, size)


def load_cached(cache: Cache, key: str) -> LoadedImage | None:
    """Map the `image` entry of that key out of the cache; None if there is no sound one."""
    entry = cache.map("image", key, check=True)
    if entry is None:
        return None
    try:
        return load_file(entry.path, HEADER_BYTES)
    except (OSError, CompileError):
        return None


def load_file(path: str | Path, offset: int = 0) -> LoadedImage:
    """Map an image out of a file in which the bytes of `Image.to_bytes` run from `offset` to the end.

    Processes that load the same file share its memory. `offset` must be a multiple of 64.
    Raises OSError if the file cannot be read, CompileError if it holds no image.
    """
    if sys.platform == "win32":
        return load_blob(Path(path).read_bytes()[offset:])
    with Path(path).open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
        except (PermissionError, ValueError):
            # A file system mounted without permission to execute, or an empty file.
            return load_blob(file.read()[offset:])
    size, offsets = Image.read_symbols(memoryview(mapped)[offset:])
    return LoadedImage(_Mapped(mapped, offset), offsets, size)


class _Mapped:
    """A part of a mapped file."""

    def __init__(self, mapped: mmap.mmap, offset: int = 0) -> None:
        self._bytes = np.frombuffer(mapped, np.uint8)
        self.address = int(self._bytes.ctypes.data) + offset


def _copy(code: bytes | memoryview) -> _Memory:
    if sys.platform == "win32":
        return _Windows(bytes(code))
    # No memory is writable and executable at once: the code goes through a nameless file.
    if sys.platform.startswith("linux"):
        handle = os.memfd_create("sardonyx", os.MFD_CLOEXEC)
    else:
        import tempfile

        handle, name = tempfile.mkstemp(prefix="sardonyx")
        Path(name).unlink()
    with os.fdopen(handle, "wb") as file:
        file.write(code)
        file.flush()
        return _Mapped(mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))


class _Windows:
    """Pages taken with VirtualAlloc, made executable after writing."""

    def __init__(self, code: bytes) -> None:
        kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 - absent on other systems
        kernel32.VirtualAlloc.restype = ctypes.c_void_p
        size = ctypes.c_size_t(len(code))
        commit_and_reserve, read_write, read_execute = 0x3000, 0x04, 0x20
        address = kernel32.VirtualAlloc(None, size, commit_and_reserve, read_write)
        if not address:
            raise CompileError("the system gives no memory for machine code")
        ctypes.memmove(address, code, len(code))
        old, pages = ctypes.c_uint32(), ctypes.c_void_p(address)
        if not kernel32.VirtualProtect(pages, size, read_execute, ctypes.byref(old)):
            raise CompileError("the system does not allow machine code to be executed")
        self.address = int(address)
        self._free: Callable[[], object] = lambda: kernel32.VirtualFree(pages, ctypes.c_size_t(0), 0x8000)

    def __del__(self) -> None:
        self._free()
