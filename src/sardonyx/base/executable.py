"""Memory that machine code runs from: a part of a mapped file, or a copy of some bytes.

Decides how memory is mapped on each system; must not know what the code does.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from typing import Protocol

import numpy as np

from sardonyx.base.mapped import NO_HANDLE
from sardonyx.errors import CompileError


class Executable(Protocol):
    """Executable memory that stays mapped as long as its owner, this object, lives."""

    address: int


class Mapped:
    """A file mapped executable, from `offset` bytes on."""

    def __init__(self, mapped: mmap.mmap, offset: int = 0) -> None:
        self._bytes = np.frombuffer(mapped, np.uint8)
        self.address = int(self._bytes.ctypes.data) + offset


def copied(code: bytes | memoryview) -> Executable:
    """A copy of machine code that can be called.

    Raises CompileError or OSError if the system gives no executable memory.
    """
    if sys.platform == "win32":
        return _Pages(bytes(code))
    try:
        return _nameless_file(code)
    except OSError:
        return _Turned(code)


def _nameless_file(code: bytes | memoryview) -> Executable:
    """A file without a name that is mapped: no memory is writable and executable, at once or in turn."""
    if sys.platform.startswith("linux"):
        handle = os.memfd_create("sardonyx", os.MFD_CLOEXEC)
    else:
        import tempfile

        handle, name = tempfile.mkstemp(prefix="sardonyx")
        os.unlink(name)
    with os.fdopen(handle, "wb") as file:
        file.write(code)
        file.flush()
        may = mmap.PROT_READ | mmap.PROT_EXEC
        return Mapped(mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, may, **NO_HANDLE))


class _Turned(Mapped):
    """Memory that is made executable after writing, where files are limited in size or cannot be executed."""

    def __init__(self, code: bytes | memoryview) -> None:
        memory = mmap.mmap(-1, len(code), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory[:] = bytes(code)
        super().__init__(memory)
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if protect(self.address, len(code), mmap.PROT_READ | mmap.PROT_EXEC):
            why = os.strerror(ctypes.get_errno())
            raise CompileError(f"the system does not allow machine code to be executed: {why}")


class _Pages:
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
