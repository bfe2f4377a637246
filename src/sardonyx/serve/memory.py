"""What this process holds of the machine's memory, and giving back what it does not need.

Must not know models.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")
_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's malloc.h."""


def resident_bytes() -> int:
    """Bytes of memory in use; 0 where the system does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def share_one_heap() -> None:
    """All threads that start from now on allocate from one heap, unless MALLOC_ARENA_MAX says otherwise.

    With an arena for each of them glibc keeps the end of each, for good.
    """
    mallopt = _c_function("mallopt")
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENA_MAX, 1)


def give_back_memory(*, cycles: bool) -> None:
    """Freed memory goes back to the system, where the C library can do so.

    With `cycles` also that of objects which hold each other: all else waits while they are looked for.
    """
    if cycles:
        gc.collect()
    trim = _c_function("malloc_trim")
    if trim is not None:
        trim(0)


def _c_function(name: str) -> Callable[..., int] | None:
    """A function of the C library that this process runs on; None where it has none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except TypeError:  # Windows, where no library stands for the process
        return None
