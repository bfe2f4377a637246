"""The seed of random operators that carry none of their own; one for the process, read by native code."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base.abi import RandomState

STATE: np.ndarray[Any, np.dtype[np.int64]] = np.zeros(RandomState.WORDS, np.int64)


def set_seed(number: int) -> None:
    """From now on draw the numbers that follow from `number`, modulo 2^64."""
    STATE[RandomState.STATE] = np.uint64(number % (1 << 64)).astype(np.int64)
    STATE[RandomState.SEEDED] = 1
