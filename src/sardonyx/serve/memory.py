"""What this process holds of the machine's memory, and giving back what it does not need.

Must not know models.
"""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes of memory in use; 0 where the system does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back_memory(*, cycles: bool) -> None:
    """Freed memory goes back to the system, where the C library can do so.

    With `cycles` also that of objects which hold each other: all else waits while they are looked for.
    """
    if cycles:
        gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
