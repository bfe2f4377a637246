"""Whether a convolution is computed by transforms, and with which tiles: a model of the cycles of each way.

Decides by sizes, channels and the target's vectors and caches. Its constants were measured on a server core
with AVX-512 and 1.25 MB of L2, as it is and held to AVX2, from 16 to 512 channels and from 7 to 112 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import ELEMENT, blocking
from sardonyx.kernels.winograd.scheme import ROWS, SQUARES, Scheme

DIRECT = None
"""The choice of direct sums."""

_FORCED = {"f2": 2, "f4": 4}
"""Outputs of a tile along an axis of a square window that the user asks for."""

_GAIN = 1.2
"""How many times faster than direct sums it must be: it takes more memory, and rounds more."""

_SUMS_PER_CYCLE = 0.9
_PRODUCTS_PER_CYCLE = 0.85
"""Of the peak of two multiplications and additions of vectors a cycle."""

_CHAINS = 8
"""Sums of vectors that are under way at a time at that rate."""

_POINT_CYCLES = {True: 10.0, False: 6.0}
"""For one point of a block of channels, to transform it along lines too or along pixels alone and keep it in
L2, or to bring it back."""

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


def chosen(anchor: Value, goal: Goal) -> Scheme | None:
    """Which tiles; DIRECT for direct sums."""
    if not goal.policy.may_transform or goal.policy.winograd == "off" or not _fits(anchor, goal):
        return DIRECT
    schemes, sizes = _schemes(anchor), _sizes(anchor)
    if len(schemes) == 1 and tuple(anchor.args[1].shape[2:]) != schemes[0].taps:
        sizes = replace(sizes, lines=sizes.pixels, pixels=sizes.lines)
    forced = _FORCED.get(goal.policy.winograd)
    if forced is None:
        return fastest(sizes, schemes, goal)
    asked = [scheme for scheme in schemes if scheme.outputs == (forced, forced)] or schemes
    return asked[0] if asked else DIRECT


def fastest(sizes: Sizes, schemes: Sequence[Scheme], goal: Goal) -> Scheme | None:
    """The choice that the model says takes the fewest cycles."""
    if not schemes:
        return DIRECT
    best = min(schemes, key=lambda scheme: cycles(sizes, scheme, goal))
    gain = direct_cycles(sizes, best.taps, goal) / cycles(sizes, best, goal)
    return best if gain >= _GAIN else DIRECT


def direct_cycles(sizes: Sizes, taps: tuple[int, int], goal: Goal) -> float:
    """What direct sums take."""
    sums = sizes.batch * sizes.lines * sizes.pixels * sizes.outputs
    return sums * math.prod(taps) * sizes.channels / (2 * goal.target.lanes * _SUMS_PER_CYCLE)


def cycles(sizes: Sizes, scheme: Scheme, goal: Goal) -> float:
    """What a scheme takes: the longer of its arithmetic and of reading what does not stay in L2."""
    peak = 2 * goal.target.lanes
    products = sizes.channels * sizes.outputs
    down, across = scheme.outputs
    tiles = sizes.batch * math.ceil(sizes.lines / down) * math.ceil(sizes.pixels / across)
    waiting = max(1, _CHAINS / (tiles * goal.tile("f32").vectors))
    transformed = _POINT_CYCLES[scheme.has_lines] * (sizes.channels + sizes.outputs) / 16
    arithmetic = tiles * scheme.points * (products * waiting / (peak * _PRODUCTS_PER_CYCLE) + transformed)
    cut = blocking(sizes.channels, sizes.outputs, scheme.points, goal)
    traffic = cut.traffic.bytes_of(tiles, cut.tiles)
    cached = scheme.points * products * ELEMENT <= _CACHED_BYTES
    return max(arithmetic, traffic / _BYTES_PER_CYCLE[cached])


def _sizes(anchor: Value) -> Sizes:
    batch, _, lines, pixels, _ = anchor.shape
    one = dict.fromkeys(dims.symbols(batch), 1)

    def size(dim: Dim) -> int:
        free = dict.fromkeys(dims.symbols(dim), _FREE_PIXELS)
        try:
            return max(1, dims.evaluate(dim, {**free, **one}))
        except (ValueError, ZeroDivisionError):  # broadcast sizes may contradict what is taken for free ones
            return _FREE_PIXELS

    outputs, channels = (int(n) for n in anchor.args[1].shape[:2])  # type: ignore[arg-type]
    return Sizes(size(batch), size(lines), size(pixels), channels, outputs)


def _fits(anchor: Value, goal: Goal) -> bool:
    """Whether the kernels can compute it; a panel of weights must hold whole blocks of channels."""
    shape = TileShape.of(goal, "f32")
    if shape.columns % shape.block:
        return False
    x, w, *laid_out = anchor.args
    at = anchor.attrs
    if anchor.prim != "conv_blocked" or anchor.dtype is not dt.F32 or x.rank != 5 or laid_out:
        return False
    return at["strides"] == (1, 1) and at["group"] == 1 and _transformable(w)


def _schemes(anchor: Value) -> Sequence[Scheme]:
    """Those of its window: of a square one, or of one that is one line or one pixel wide."""
    lines, pixels = (int(n) for n in anchor.args[1].shape[2:])  # type: ignore[arg-type]
    dilation = dict(zip(("lines", "pixels"), anchor.attrs["dilations"], strict=True))
    if (lines, pixels) == (3, 3):
        return tuple(SQUARES.values()) if dilation["pixels"] == 1 else ()
    along, taps = ("pixels", pixels) if lines == 1 else ("lines", lines)
    row = ROWS.get(taps) if 1 in (lines, pixels) and dilation[along] == 1 else None
    return (row,) if row else ()


def _transformable(w: Value) -> bool:
    """Whether weights are known and finite, and not whole: sums of whole numbers are to stay exact."""
    if w.data is None or not np.isfinite(w.data).all():
        return False
    return not np.array_equal(w.data, np.rint(w.data))
