"""Whether a convolution is computed on matrix registers, and room for its input; must not know how.

It is where their tile serves everywhere, channels fill them, the input that one tile of outputs reads fits
the scratch, and it is faster than on vectors. Sums of two numbers do not serve: detectors of text and voices
magnify what they leave out, 4e-6 of each layer, to more than 2e-4 of their largest result.
"""

from __future__ import annotations

import math

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.convolution import cost
from sardonyx.kernels.convolution.cost import matrix_cycles, sizes_of, vector_cycles
from sardonyx.kernels.digits.numbers import filters_have_digits
from sardonyx.kernels.product.choose import have_parts
from sardonyx.kernels.tiles.matrix import MatrixShape

GAP = 64
"""Bytes behind a step of a band: a cache line, without which steps of many pixels would share L1 sets."""

_LEAST_CHANNELS = {True: 16, False: 8}
"""Those of the input, of windows of one tap and of more: what a pixel costs once is less of it then."""

_LEAST_PRODUCTS = 24 * 24
"""Those for a pixel of one tap."""

_GAIN = 1.05
"""How many times faster than vectors it must be, for the model to be right about it."""


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a convolution; None if vectors do."""
    x, w, *laid_out = anchor.args
    if x.dtype not in (dt.F32, dt.BF16):
        return None
    if anchor.dtype is not dt.F32 or laid_out or w.data is None or goal.policy.winograd in ("f2", "f4"):
        return None
    tiles = [goal.find_matrix(operand, everywhere=True) for operand in ("f32", "fixed24")]
    serving = [tile for tile in tiles if tile and _serves(tile, anchor, goal)]
    tile = min(serving, key=lambda tile: cycles_of(anchor, tile, goal), default=None)
    if tile is None:
        return None
    if tile.terms > 1:
        on_vectors = vector_cycles(sizes_of(anchor), _taps(anchor), goal)
        if on_vectors < _GAIN * cycles_of(anchor, tile, goal):
            return None
    return tile if x.dtype is dt.BF16 or allows(w, have_parts) else None


def is_signal(x: Value) -> bool:
    """Whether an input is one line or one pixel wide.

    Quiet parts of a signal have no share in a scale of its loud ones, and models of voices magnify what even
    a scale a pixel leaves out, twice what sums of floats do, to more than 1e-4 of their largest result.
    """
    return 1 in x.shape[2:4]


def _serves(tile: MatrixTile, anchor: Value, goal: Goal) -> bool:
    """Whether a tile serves a convolution at all."""
    x, w = anchor.args
    assert w.data is not None
    block, group = goal.target.channel_block, anchor.attrs["group"]
    outputs, channels, *taps = w.data.shape
    if x.rank != 5 or block != tile.rows or anchor.attrs.get("runs"):
        return False
    if group > 1 and channels % block:
        return False
    outputs //= group
    single = math.prod(taps) == 1
    if channels < _LEAST_CHANNELS[single] or (single and channels * outputs < _LEAST_PRODUCTS):
        return False
    if w.data.shape[2] > 1 and anchor.attrs["dilations"][0] > 1:
        return False
    if _tile_bytes(anchor, MatrixShape(tile)) > band_bytes(goal.target) // 2:
        return False
    # Two lines of one pixel are all that a tile holds then; transforms along the lines take less.
    if taps[0] > 1 and anchor.shape[3] == 1 and x.dtype is dt.F32:
        return False
    return tile.operand != "fixed24" or _multiplies_digits(x, w)


def _multiplies_digits(x: Value, weights: Value) -> bool:
    """Whether input and weights are served by digits."""
    floats = x.dtype is dt.F32 and not is_signal(x)
    return floats and allows(weights, filters_have_digits)


def cycles_of(anchor: Value, tile: MatrixTile, goal: Goal) -> float:
    """What a convolution takes on matrix registers."""
    return matrix_cycles(sizes_of(anchor), _taps(anchor), anchor.attrs["strides"], tile, goal)


def _taps(anchor: Value) -> tuple[int, int]:
    lines, pixels = (int(n) for n in anchor.args[1].shape[2:])  # type: ignore[arg-type]
    return lines, pixels


def runs_forward(place: Place) -> bool:
    """Whether lines and pixels of an input do not run backwards in memory, as those of a band do not."""
    return all(dims.at_least(stride, 0) is True for stride in place.strides[2:4])


def runs_on(anchor: Value, tile: MatrixTile) -> bool:
    """Whether tiles are better made of lines of the input that run on, if they do."""
    return cost.run_on(sizes_of(anchor), _taps(anchor), anchor.attrs["strides"], tile)


def pixels_of_a_line(anchor: Value) -> int:
    """Those of the input that the results of a line read."""
    return cost.pitch(sizes_of(anchor), _taps(anchor))


def band_bytes(target: Target) -> int:
    """Bytes for the band of a block of tiles, whatever the sizes.

    Twice those of one tile at the most: what tiles together touch of theirs is at most half of that too.
    """
    return 3 * target.l2_bytes


def are_split(anchor: Value, tile: MatrixTile, goal: Goal) -> bool:
    """Whether weights are read as floats and split a panel at a time."""
    return anchor.attrs["group"] == 1 and cost.are_split(sizes_of(anchor), _taps(anchor), tile, goal)


def panel_bytes(anchor: Value, tile: MatrixTile) -> int:
    """Bytes of the parts of a panel of weights."""
    shape = MatrixShape(tile)
    sizes = replace(sizes_of(anchor), outputs=shape.rows)
    return cost.weights(sizes, _taps(anchor), tile) * shape.planes * shape.number_bytes


def _tile_bytes(anchor: Value, shape: MatrixShape) -> int:
    """Bytes of the band of one tile."""
    _, channels, rows, columns = (int(n) for n in anchor.args[1].shape)  # type: ignore[arg-type]
    (row_step, step), (_, dilation) = anchor.attrs["strides"], anchor.attrs["dilations"]
    width = shape.rows * step + (columns - 1) * dilation
    pixels = (row_step + rows) * width + shape.rows * step
    steps = -(-channels // shape.k_step)
    return steps * len(shape.held) * int(pixels * shape.tile.row_bytes + GAP)
