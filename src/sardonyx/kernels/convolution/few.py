"""Which convolutions of plain input of a few channels are computed on matrix registers, and in which steps.

Must not know how. A row of a window is a run of numbers, the channels of a pixel side by side.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.convolution.choose import band_bytes, runs_forward
from sardonyx.kernels.product.choose import have_parts
from sardonyx.kernels.tiles.matrix import MatrixShape

SIDE_BY_SIDE = (2, 4, 8, 16)
"""Channels of a pixel in the band, of which some may be missing."""

MOST_STEPS = 4
"""Those of a row of a window."""

_LEAST_OUTPUTS = 8


def beside(channels: int) -> int:
    """How many numbers a pixel of the band has."""
    return next(n for n in SIDE_BY_SIDE if channels <= n)


def cut_row(channels: int, columns: int, shape: MatrixShape) -> tuple[int, int] | None:
    """Steps of a row of the window, and the numbers of each; None if no cut gives whole rows of B."""
    total = columns * beside(channels)
    serving = (
        steps
        for steps in range(1, MOST_STEPS + 1)
        if total <= steps * shape.k_step and total % (steps * shape.depth) == 0
    )
    steps = next(serving, None)
    return (steps, total // steps) if steps else None


def chosen(anchor: Value, place: Place, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a convolution whose plain input is at `place`, if any."""
    x, w, *laid_out = anchor.args
    tile = goal.find_matrix("f32", everywhere=True) if anchor.dtype is dt.F32 else None
    if tile is None or tile.terms > 1 or anchor.prim != "conv_blocked" or x.rank != 4 or laid_out:
        return None
    at, shape = anchor.attrs, MatrixShape(tile)
    if w.data is None or at["group"] != 1 or goal.target.channel_block != tile.rows:
        return None
    outputs, channels, rows, columns = w.data.shape
    runs_on = (
        runs_forward(place)
        and at["dilations"][1] == 1
        and place.strides[3] == 1
        and (rows == 1 or at["dilations"][0] == 1)
    )
    if not runs_on or channels > SIDE_BY_SIDE[-1] or outputs < _LEAST_OUTPUTS:
        return None
    row_step, step = at["strides"]
    width = (shape.rows - 1) * step + columns + tile.rows
    pixel = shape.number_bytes * beside(channels)
    fits = (row_step + rows) * width * pixel <= band_bytes(goal.target) // 4
    return tile if fits and cut_row(channels, columns, shape) and allows(w, have_parts) else None
