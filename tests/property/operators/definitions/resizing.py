"""Nearest resizing by definition: places as fractions, where ties are ties."""

from __future__ import annotations

import math
from fractions import Fraction

ROUNDINGS = {
    "round_prefer_floor": lambda place: math.ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: math.floor(place + Fraction(1, 2)),
    "floor": math.floor,
    "ceil": math.ceil,
}


def nearest(n: int, out: int, transform: str, rounding: str) -> list[int]:
    """The element of an axis of `n` that each of `out` elements is read from, if sizes are given."""
    return [min(max(ROUNDINGS[rounding](_place(i, n, out, transform)), 0), n - 1) for i in range(out)]


def _place(i: int, n: int, out: int, transform: str) -> Fraction:
    match transform:
        case "asymmetric":
            return Fraction(i * n, out)
        case "align_corners":
            return Fraction(i * (n - 1), max(out - 1, 1))
        case "pytorch_half_pixel" if out == 1:
            return Fraction(0)
    return Fraction((2 * i + 1) * n, 2 * out) - Fraction(1, 2)
