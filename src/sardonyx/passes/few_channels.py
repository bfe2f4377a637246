"""First layers of small integers, of few channels: over squares of pixels, or in steps along lines.

A square of two by two pixels of four channels is a pixel of 16, which matrix registers read as a whole;
windows are half as high and as wide, their steps one. Elsewhere a step holds pixels of a line of one channel,
which lie side by side as they come. Must not know who reads the result.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value, const
from sardonyx.passes.narrow import is_narrow

_CHANNELS = 4
"""Channels of a pixel, missing ones included."""

_STEP = 2

_SUM_BITS = 32


@dataclass(frozen=True, slots=True)
class Squares:
    """Pixels [N, 1, H, W, 16] that are squares of pixels, and weights [OC, 16, R, C] over them."""

    form: Value
    weights: Value


def of_squares(value: Value, x: Value, w: Value, goal: Goal) -> Squares | None:
    """What a narrow convolution of x and w becomes; None if it does not, or matrix registers are missing."""
    block = goal.target.channel_block
    if goal.find_matrix("i8") is None or block != _STEP * _STEP * _CHANNELS:
        return None
    if x.dtype is not dt.U8 or w.data is None or not _is_first(value, w.data):
        return None
    outputs, channels, *taps = w.data.shape
    missing = _CHANNELS - channels
    wide = np.pad(w.data, ((0, 0), (0, missing), (0, 1), (0, 1)))
    rows, columns = ((n + 1) // _STEP for n in taps)
    split = wide.reshape(outputs, _CHANNELS, rows, _STEP, columns, _STEP)
    weights = split.transpose(0, 3, 5, 1, 2, 4).reshape(outputs, block, rows, columns)
    lines, pixels = (n + tap // 2 for n, tap in zip(value.shape[2:], taps, strict=True))
    more = _STEP * lines - x.shape[2], _STEP * pixels - x.shape[3]
    padded = x.pad((0,) * 4, (0, missing, *more)).transpose(0, 2, 3, 1)
    squares = padded.reshape((x.shape[0], lines, _STEP, pixels, _STEP * _CHANNELS)).transpose(0, 1, 3, 2, 4)
    form = squares.reshape((x.shape[0], 1, lines, pixels, block))
    return Squares(form, const(np.ascontiguousarray(weights)))


@dataclass(frozen=True, slots=True)
class Lines:
    """Pixels [N, C, H, W] with all borders, and weights [OC, C, R, C] whose lines are whole steps."""

    pixels: Value
    weights: Value


def along_lines(value: Value, x: Value, w: Value) -> Lines | None:
    """What a narrow convolution of x and w becomes; None if steps along channels are fewer."""
    at = value.attrs
    if w.data is None or not is_narrow(value) or at["group"] != 1 or at["dilations"][1] != 1:
        return None
    _, channels, _, columns = w.data.shape
    depth = _SUM_BITS // w.dtype.bits
    steps = -(-columns // depth)
    if channels * steps > -(-channels // depth) * columns:
        return None
    missing = steps * depth - columns
    low, high = at["low"], at["high"]
    pixels = x.pad((0, 0, *low), (0, 0, high[0], high[1] + missing))
    return Lines(pixels, const(np.pad(w.data, ((0, 0), (0, 0), (0, 0), (0, missing)))))


def _is_first(value: Value, w: np.ndarray) -> bool:
    """Whether it is a convolution of few channels by odd windows with steps of two, without borders."""
    at, (_, channels, *taps) = value.attrs, w.shape
    steps = at["strides"] == (_STEP, _STEP) and at["dilations"] == (1, 1)
    borders = any((*at["low"], *at["high"]))
    few = is_narrow(value) and at["group"] == 1 and channels <= _CHANNELS
    return few and steps and not borders and all(n % 2 for n in taps)
