"""Zeros around the image of a convolution whose taps are far apart: most taps meet nothing else.

Decides which of them are not stored, so that sums leave those taps out; must not know how these are summed.
"""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.assumed import IMAGE_PIXELS, assumed
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value

_TRANSFORMS = ((2, 9 / 4), (4, 4.0))
"""Outputs of a transformed square along an axis, and how many times fewer products that takes."""

_LEAST_GAIN = {False: 1.1, True: 3.0}
"""How many times fewer products than those of transforms there must be: on vectors, or where registers may
multiply transformed squares."""

_BESIDE = 7
"""Pixels of a tile on the other side of an edge, for whose sake taps are read too."""


def missing_zeros(conv: Value, goal: Goal) -> tuple[Dim, Dim]:
    """How many lines and pixels of zeros on either side of an image are not stored.

    Of a window of three taps an axis, the outer ones at the distance of the edge. Zeros beside lines are
    missing only where outer taps meet nothing else.
    """
    x, w = conv.args
    at, (down, across) = conv.attrs, conv.attrs["dilations"]
    if tuple(w.shape[2:]) != (3, 3) or min(down, across) == 1 or at["strides"] != (1, 1):
        return 0, 0
    if conv.dtype is not dt.F32 or not at["low"] == at["high"] == (down, across):
        return 0, 0
    if w.data is None or not np.isfinite(w.data).all() or not _pays(x, (down, across), goal):
        return 0, 0
    return down, dims.where(dims.less(across, x.shape[3]), 0, across)


def _pays(x: Value, apart: tuple[int, int], goal: Goal) -> bool:
    """Whether there are fewer products than in transformed squares, of pixels as far apart."""
    sizes = [max(1, assumed(size, IMAGE_PIXELS)) for size in x.shape[2:4]]
    taps = [
        1 + 2 * min(1, max(0, size - n + beside) / size)
        for size, n, beside in zip(sizes, apart, (0, _BESIDE), strict=True)
    ]
    direct = math.prod(taps) / 9
    if not goal.policy.may_transform or goal.policy.winograd == "off":
        return direct < 1
    squares = (
        math.prod(
            math.ceil(size / (side * n)) * side * n / size for size, n in zip(sizes, apart, strict=True)
        )
        / gain
        for side, gain in _TRANSFORMS
    )
    return direct * _LEAST_GAIN[goal.find_matrix("f32", everywhere=True) is not None] < min(squares)
