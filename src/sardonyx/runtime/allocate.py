"""The memory that native code reads and writes; all of it but feeds and mapped weights is taken here.

Callers reach the functions through the module, so that a test can put guard pages around every buffer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sardonyx.llvm.layout import LINE_BYTES

Words = npt.NDArray[np.int64]

_WORD = 8

empty = np.empty
"""An uninitialised array of a shape and dtype."""


def aligned_bytes(size: int, align: int = 64) -> npt.NDArray[np.uint8]:
    """Uninitialised memory whose address is a multiple of `align` (if there is any)."""
    memory = np.empty(size + align, np.uint8)
    start = -memory.ctypes.data % align
    return memory[start : start + size]


def aligned_words(count: int) -> Words:
    """Zeroed words that share no cache line with other memory."""
    memory = aligned_bytes(-(-count * _WORD // LINE_BYTES) * LINE_BYTES, LINE_BYTES).view(np.int64)
    memory[:] = 0
    return memory[:count]
