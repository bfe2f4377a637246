"""Whole numbers: whether numbers are, and which a type of floats cannot hold: float32 has 24 bits for digits.

Decides what is said of them; must not know whose they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
_FEW = 1024
"""Numbers that are asked before all."""


def are_whole(numbers: np.ndarray[Any, Any]) -> bool:
    """Whether all are whole numbers; of most others the first ones tell that they are not."""
    few = numbers.flat[:_FEW]
    return np.array_equal(few, np.rint(few)) and np.array_equal(numbers, np.rint(numbers))


def lost_digits(numbers: np.ndarray[Any, Any], kind: Any = np.float32) -> str:
    """What becomes of the first whole number that a type of floats changes; "" if it does so to none.

    `numbers` are floats, of which those beyond float32 are left out, or integers of any type, Python's too.
    """
    kind = np.dtype(kind)
    held = 2.0 / float(np.finfo(kind).eps)
    whole = numbers[(numbers >= held) | (numbers <= -held)]
    if whole.dtype.kind == "f":
        whole = whole[np.abs(whole) <= LARGEST]
        whole = whole[whole % 1 == 0]
    with np.errstate(over="ignore"):
        narrow = whole.astype(kind)
    # Python compares whole numbers with floats exactly.
    changed = np.flatnonzero(whole.astype(object) != narrow.astype(np.float64).astype(object))
    if not len(changed):
        return ""
    first = changed[0]
    return f"{int(whole[first])} becomes {narrow[first]:.0f} in {kind.name}"
