"""By what channels are multiplied before numbers of several share a scale, and their weights divided.

What digits leave out is a part of the largest number that shares their scale, however little that weighs. So
channels are measured by what they can add to a result, in powers of two. Must not know kernels.
"""

from __future__ import annotations

import numpy as np

_ALIKE = 4.0
"""Sizes whose root mean square is so many times the least are: errors are at most that many times larger, and
powers would cost more time than they are worth.
"""

_LEAST, _NONE = 2.0**-64, 2.0**-126
"""What a power is at least, and that of a channel that counts for nothing, however large it is."""


def powers_of(w: np.ndarray) -> np.ndarray | None:
    """For weights w[OC, IC, ...] a power for each channel [IC], float32, at most 1; None if all are alike."""
    by_tap = np.maximum(w.max(axis=0, initial=0), -w.min(axis=0, initial=0))
    largest = by_tap.max(axis=tuple(range(1, by_tap.ndim)), initial=0).astype(np.float64)
    most, root = largest.max(initial=0), np.sqrt(np.mean(largest**2)) if largest.size else 0
    if root <= _ALIKE * largest.min(initial=root):
        return None
    powers = np.exp2(np.rint(np.log2(np.maximum(largest / most, _LEAST))))
    found: np.ndarray = np.where(largest > 0, powers, _NONE).astype(np.float32)
    return found


def evened(w: np.ndarray) -> np.ndarray:
    """The weights of channels that are multiplied by their powers."""
    powers = powers_of(w)
    return w if powers is None else w / powers.reshape(-1, *[1] * (w.ndim - 2))
