"""Resizing by definition: nearest places as fractions, where ties are ties; antialiased ones in float64."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ROUNDINGS = {
    "round_prefer_floor": lambda place: math.ceil(place - Fraction(1, 2)),
    "round_prefer_ceil": lambda place: math.floor(place + Fraction(1, 2)),
    "floor": math.floor,
    "ceil": math.ceil,
}


def nearest(n: int, out: int, transform: str, rounding: str) -> list[int]:
    """The element of an axis of `n` that each of `out` elements is read from, if sizes are given."""
    return [min(max(ROUNDINGS[rounding](_place(i, n, out, transform)), 0), n - 1) for i in range(out)]


def cropped(n: int, out: int, rounding: str, start: float, end: float) -> list[int]:
    """The same of a region whose ends are parts of the axis, which both lie on it."""
    first, whole = Fraction(start) * (n - 1), (Fraction(end) - Fraction(start)) * (n - 1)
    steps = [Fraction(i, out - 1) for i in range(out)] if out > 1 else [Fraction(1, 2)]
    return [ROUNDINGS[rounding](first + step * whole) for step in steps]


def _place(i: int, n: int, out: int, transform: str) -> Fraction:
    match transform:
        case "asymmetric":
            return Fraction(i * n, out)
        case "align_corners":
            return Fraction(i * (n - 1), max(out - 1, 1))
        case "pytorch_half_pixel" if out == 1:
            return Fraction(0)
    return Fraction((2 * i + 1) * n, 2 * out) - Fraction(1, 2)


def antialiased(x: Array, axis: int, out: int, cubic: bool = False, inside: bool = False) -> Array:
    """An axis resized to `out` by a kernel that is as wide as an output where it shrinks, in float64.

    Half-pixel places; beyond its ends the axis repeats them, or counts for nothing (`inside`).
    """
    n = x.shape[axis]
    scale, rows = min(out / n, 1.0), np.moveaxis(x.astype(np.float64), axis, 0)
    answer = []
    for at in range(out):
        place = (at + 0.5) * n / out - 0.5
        reach = (2 if cubic else 1) / scale
        steps = np.arange(math.floor(place - reach), math.ceil(place + reach) + 1)
        weights = _kernel(np.abs(steps - place) * scale, cubic)
        if inside:
            weights = weights * ((steps >= 0) & (steps < n))
        answer.append(np.tensordot(weights / weights.sum(), rows[np.clip(steps, 0, n - 1)], 1))
    return np.moveaxis(np.array(answer), 0, axis)


def _kernel(distance: Array, cubic: bool, a: float = -0.75) -> Array:
    if not cubic:
        return np.maximum(1 - distance, 0)
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
