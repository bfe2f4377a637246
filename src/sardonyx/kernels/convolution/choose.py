"""Whether a convolution is computed on matrix registers, and room for its input; must not know how.

It is where their tile serves everywhere, channels fill them, and the input that one tile of outputs reads
fits the scratch. That of `fp32` does not: detectors of text and voices magnify what it leaves out, 4e-6 of
each layer, to more than 2e-4 of their largest result.
"""

from __future__ import annotations

import math

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.product.choose import have_parts
from sardonyx.kernels.tiles.matrix import MatrixShape

GAP = 64
"""Bytes behind a pixel of a band: a cache line, without which pixels of many channels would share L1 sets."""

_LEAST_CHANNELS = {True: 16, False: 8}
"""Those of the input, of windows of one tap and of more: what a pixel costs once is less of it then."""

_LEAST_PRODUCTS = 24 * 24
"""Those for a pixel of one tap."""


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a convolution; None if vectors do."""
    x, w, *laid_out = anchor.args
    if x.dtype not in (dt.F32, dt.BF16):
        return None
    tile = goal.find_matrix("f32") if anchor.dtype is dt.F32 else None
    if tile is None or not tile.everywhere or goal.policy.winograd in ("f2", "f4"):
        return None
    if laid_out or w.data is None:
        return None
    block, group = goal.target.channel_block, anchor.attrs["group"]
    outputs, channels, *taps = w.data.shape
    if x.rank != 5 or block != tile.rows or "runs" in anchor.attrs or (group > 1 and channels % block):
        return None
    outputs //= group
    single = math.prod(taps) == 1
    if channels < _LEAST_CHANNELS[single] or (single and channels * outputs < _LEAST_PRODUCTS):
        return None
    if w.data.shape[2] > 1 and anchor.attrs["dilations"][0] > 1:
        return None
    fits = _tile_bytes(anchor, MatrixShape(tile)) <= band_bytes(goal.target) // 2
    return tile if fits and (x.dtype is dt.BF16 or have_parts(w.data)) else None


def runs_forward(place: Place) -> bool:
    """Whether lines and pixels of an input do not run backwards in memory, as those of a band do not."""
    return all(dims.at_least(stride, 0) is True for stride in place.strides[2:4])


def band_bytes(target: Target) -> int:
    """Bytes for the band of a block of tiles, whatever the sizes.

    Twice those of one tile at the most: what tiles together touch of theirs is at most half of that too.
    """
    return 3 * target.l2_bytes


def _tile_bytes(anchor: Value, shape: MatrixShape) -> int:
    """Bytes of the band of one tile."""
    _, channels, rows, columns = (int(n) for n in anchor.args[1].shape)  # type: ignore[arg-type]
    (row_step, step), (_, dilation) = anchor.attrs["strides"], anchor.attrs["dilations"]
    width = (shape.rows - 1) * step + (columns - 1) * dilation + 1
    pixels = (row_step + rows) * width + shape.rows * step
    steps = -(-channels // shape.k_step)
    return int(pixels) * (steps * shape.tile.row_bytes * len(shape.held) + GAP)
