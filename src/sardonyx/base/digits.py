"""Whole numbers that float32 cannot hold: it has 24 bits for digits.

Decides what is said of them; must not know whose they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)


def lost_digits(numbers: np.ndarray[Any, Any]) -> str:
    """What becomes of the first whole number that loses its last digits in float32; "" if none does."""
    whole = numbers[np.abs(numbers) <= LARGEST]
    whole = whole[whole % 1 == 0]
    changed = whole[whole.astype(np.float32).astype(np.float64) != whole]
    return f"{changed[0]:.0f} becomes {np.float32(changed[0]):.0f} in float32" if len(changed) else ""
