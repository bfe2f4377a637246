"""The contexts of a team of threads that a test runs one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base.abi import Barrier, Context

Array = npt.NDArray[Any]


def contexts(threads: int, scratch: Array | None = None, status: Array | None = None) -> Iterator[Array]:
    """The words of each thread for one call; they share what they claim, and scratch memory."""
    barrier = np.zeros(Barrier.WORDS, np.int64)
    for tid in range(threads):
        words = np.zeros(Context.WORDS, np.int64)
        words[Context.TID], words[Context.NTHREADS], words[Context.USUAL] = tid, threads, threads
        words[Context.BARRIER] = barrier.ctypes.data
        if scratch is not None:
            words[Context.SCRATCH], words[Context.SCRATCH_BYTES] = scratch.ctypes.data, scratch.nbytes
        if status is not None:
            words[Context.STATUS] = status.ctypes.data
        yield words
