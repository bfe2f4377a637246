"""The memory that native code reads and writes; all of it but feeds and mapped weights is taken here.

Callers reach the functions through the module, so that a test can put guard pages around every buffer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from sardonyx.base.abi import LINE_BYTES
from sardonyx.errors import RunError

Words = np.ndarray[Any, np.dtype[np.int64]]

_WORD = 8
_UNASKED_BYTES = 1 << 28
_LEFT = ("MemAvailable", "SwapFree")
"""What Linux says of its memory; elsewhere nothing is known, and what the system refuses is an error too."""
_CONTAINER = "/sys/fs/cgroup/memory.max"

empty = np.empty
"""An uninitialised array of a shape and dtype."""


def ask(size: int) -> None:
    """Raise RunError if so many bytes are more than this machine, its container, or the process has left.

    The system would promise them and end the process when they are used.
    """
    if size < _UNASKED_BYTES:
        return
    left = available_bytes()
    if size > left:
        raise RunError(
            f"a run with these sizes takes {size} bytes of memory, there are {left}; "
            "check the sizes that are fed",
            kind="memory",
        )


def available_bytes() -> int:
    """The least of what this machine, its container and the limit of this process leave."""
    found = [1 << 62]
    with suppress(OSError, ValueError, IndexError):
        text = _text("/proc/meminfo")
        found = [sum(int(text.partition(f"{name}:")[2].split()[0]) << 10 for name in _LEFT)]
    with suppress(OSError, ValueError):
        found.append(int(_text(_CONTAINER)))
    with suppress(ImportError, OSError, ValueError):
        found.append(_unused_addresses())
    return min(found)


def _unused_addresses() -> int:
    """Bytes that `ulimit -v` lets this process still map. Raises OSError or ValueError if none is known."""
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        raise ValueError("there is no limit")
    pages = int(_text("/proc/self/statm").split()[0])
    return max(0, most - pages * resource.getpagesize())


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def aligned_bytes(size: int, align: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Uninitialised memory whose address is a multiple of `align` (if there is any)."""
    memory = np.empty(size + align, np.uint8)
    start = -memory.ctypes.data % align
    return memory[start : start + size]


def aligned_words(count: int) -> Words:
    """Zeroed words that share no cache line with other memory."""
    memory = aligned_bytes(-(-count * _WORD // LINE_BYTES) * LINE_BYTES, LINE_BYTES).view(np.int64)
    memory[:] = 0
    return memory[:count]
