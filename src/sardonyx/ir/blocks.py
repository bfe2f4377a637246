"""Which blocks of pixels are added up to lines of an image by vectors. Must not know how."""

from __future__ import annotations

import math
from collections.abc import Sequence

_MOST_TAPS, _MOST_STRIDE = 32, 8
"""Of the last axis."""
_MOST_LINES = 1024
"""Taps of all axes but the last."""


def by_lines(kernel: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the columns of blocks of this size are added up a line at a time."""
    fits = 1 <= kernel[-1] <= _MOST_TAPS and strides[-1] <= _MOST_STRIDE
    return fits and 1 <= math.prod(kernel[:-1]) <= _MOST_LINES
