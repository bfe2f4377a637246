"""Memory of large outputs, which later runs use again once the caller has let go of it.

Fresh memory costs a page fault for every 4 KB of it, in every run. Must not know what a run is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from sardonyx.runtime import allocate

Array = np.ndarray[Any, Any]

LEAST_BYTES = 1 << 17
"""From here on the C library asks the system for memory, and gives it back."""

_MOST_BYTES = (1 << 25) - (1 << 16)
"""Beyond some 32 MB glibc gives every block back at once."""

_ROOM = 8
"""One part in so many is taken more: caches of decoders grow with every run."""


def are_fresh(sizes: Sequence[int]) -> bool:
    """Whether outputs of so many bytes would be fresh memory in every run: large ones, more than are kept.

    glibc keeps at most twice the largest block that it got back.
    """
    large = [size for size in sizes if size >= LEAST_BYTES]
    largest = max(large, default=0)
    return largest > _MOST_BYTES or sum(large) > 2 * largest


class Outputs:
    """Makes the outputs of a program; of each it keeps the memory that came back last.

    Threads need no lock: entries of a dict are taken and put back in one step.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[int, Array] = {}

    def empty(self, number: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An uninitialised array for the output of that number."""
        size = prod(shape) * dtype.itemsize
        if size < LEAST_BYTES or dtype.hasobject or allocate.empty is not np.empty:
            return allocate.empty(shape, dtype)
        memory = self._kept.pop(number, None)
        if memory is None or not size <= memory.size <= 2 * size:
            memory = allocate.aligned_bytes(size + size // _ROOM)
        return np.ndarray(shape, dtype, np.asarray(_Lease(memory, number, self._kept)))


class _Lease:
    """What arrays on that memory hold; it ends with the last of them."""

    __slots__ = ("__array_interface__", "_kept", "_memory", "_number")

    def __init__(self, memory: Array, number: int, kept: dict[int, Array]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._number, self._kept = memory, number, kept

    def __del__(self) -> None:
        self._kept[self._number] = self._memory
