"""Whether a convolution is computed by transforms, and with which tiles: a model of the cycles of each way.

Decides by sizes, channels and the target's vectors and caches. Its constants were measured on a server core
with AVX-512 and 1.25 MB of L2, as it is and held to AVX2, from 16 to 512 channels and from 7 to 112 pixels.
"""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import ELEMENT, blocking
from sardonyx.kernels.winograd.cook_toom import POINTS, TAPS, transforms

DIRECT = 0
"""The choice of direct sums."""

_FORCED = {"off": DIRECT, "f2": 2, "f4": 4}
_GAIN = 1.2
"""How many times faster than direct sums it must be: it takes more memory, and rounds more."""

_SUMS_PER_CYCLE = 0.9
_PRODUCTS_PER_CYCLE = 0.85
"""Of the peak of two multiplications and additions of vectors a cycle."""

_CHAINS = 8
"""Sums of vectors that are under way at a time at that rate."""

_POINT_CYCLES = 10
"""For one point of a block of channels, to transform it and keep it in L2, or bring it back."""

_CACHED_BYTES = 8 << 20
_BYTES_PER_CYCLE = {True: 5.0, False: 2.8}
"""What a core reads from a shared cache (weights of at most _CACHED_BYTES) or memory."""

_FREE_PIXELS = 224
"""What a size is taken to be that only a feed tells: that of a common image, and one sample."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Those of one convolution."""

    batch: int
    lines: int
    pixels: int
    channels: int
    outputs: int


def chosen(anchor: Value, goal: Goal) -> int:
    """Outputs along one axis of a tile, a key of POINTS; DIRECT for direct sums."""
    if not goal.policy.may_transform or not _fits(anchor, goal):
        return DIRECT
    forced = _FORCED.get(goal.policy.winograd)
    return fastest(_sizes(anchor), goal) if forced is None else forced


def fastest(sizes: Sizes, goal: Goal) -> int:
    """The choice that the model says takes the fewest cycles."""
    best = min(POINTS, key=lambda outputs: cycles(sizes, outputs, goal))
    gain = cycles(sizes, DIRECT, goal) / cycles(sizes, best, goal)
    return best if gain >= _GAIN else DIRECT


def cycles(sizes: Sizes, outputs: int, goal: Goal) -> float:
    """What a choice takes: the longer of its arithmetic and of reading what does not stay in L2."""
    peak = 2 * goal.target.lanes
    products = sizes.channels * sizes.outputs
    if outputs == DIRECT:
        pixels = sizes.batch * sizes.lines * sizes.pixels
        return pixels * TAPS**2 * products / (peak * _SUMS_PER_CYCLE)
    points = transforms(outputs).inputs ** 2
    tiles = sizes.batch * math.ceil(sizes.lines / outputs) * math.ceil(sizes.pixels / outputs)
    waiting = max(1, _CHAINS / (tiles * goal.tile("f32").vectors))
    transformed = _POINT_CYCLES * (sizes.channels + sizes.outputs) / 16
    arithmetic = tiles * points * (products * waiting / (peak * _PRODUCTS_PER_CYCLE) + transformed)
    cut = blocking(sizes.channels, sizes.outputs, points, goal)
    traffic = cut.traffic.bytes_of(tiles, cut.tiles)
    cached = points * products * ELEMENT <= _CACHED_BYTES
    return max(arithmetic, traffic / _BYTES_PER_CYCLE[cached])


def _sizes(anchor: Value) -> Sizes:
    batch, _, lines, pixels, _ = anchor.shape
    one = dict.fromkeys(dims.symbols(batch), 1)

    def size(dim: Dim) -> int:
        free = dict.fromkeys(dims.symbols(dim), _FREE_PIXELS)
        return max(1, dims.evaluate(dim, {**free, **one}))

    outputs, channels = (int(n) for n in anchor.args[1].shape[:2])  # type: ignore[arg-type]
    return Sizes(size(batch), size(lines), size(pixels), channels, outputs)


def _fits(anchor: Value, goal: Goal) -> bool:
    """Whether the kernel computes this convolution; a panel of weights must hold whole blocks of channels."""
    shape = TileShape.of(goal, "f32")
    if shape.columns % shape.block:
        return False
    x, w, *laid_out = anchor.args
    at = anchor.attrs
    if anchor.prim != "conv_blocked" or anchor.dtype is not dt.F32 or x.rank != 5 or laid_out:
        return False
    plain = at["strides"] == (1, 1) and at["dilations"] == (1, 1) and at["group"] == 1
    return plain and tuple(w.shape[2:]) == (TAPS, TAPS) and _transformable(w)


def _transformable(w: Value) -> bool:
    """Whether weights are known and finite, and not whole: sums of whole numbers are to stay exact."""
    if w.data is None or not np.isfinite(w.data).all():
        return False
    return not np.array_equal(w.data, np.rint(w.data))
