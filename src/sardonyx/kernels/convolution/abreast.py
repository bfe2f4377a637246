"""Which convolutions of plain input of a few channels multiply digits, and what a pixel of their band holds.

All channels of some lines lie abreast in it, so that a step has the numbers of some pixels of these lines.
All of what a block reads has one scale, as lines of a picture may: a signal, of which quiet parts are to be
as exact as loud ones, is left to vectors. Must not know how.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.convolution.choose import band_bytes, runs_forward
from sardonyx.kernels.convolution.cost import peak
from sardonyx.kernels.digits.numbers import filters_have_digits
from sardonyx.kernels.digits.pixels import PIXEL_BYTES, PIXELS
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape

_STEP_CYCLES, _END_CYCLES = 100, 450
"""For one register of sums, a step of all its products, and to join and finish it."""

_VECTOR_SHARE = 0.9
"""Of the peak of vectors, where lines of a window are a few numbers long."""

_LEAST_OUTPUTS = 8


@dataclass(frozen=True, slots=True)
class Abreast:
    """How many `lines` lie abreast in a pixel of so many `bytes`."""

    lines: int
    bytes: int

    def pixels(self, row_bytes: int) -> int:
        """Those of a step."""
        return row_bytes // self.bytes

    def steps(self, rows: int, columns: int, row_bytes: int) -> tuple[int, int]:
        """Steps of a window: down, and across."""
        return -(-rows // self.lines), -(-columns // self.pixels(row_bytes))

    def apart(self, rows: int, row_step: int) -> int:
        """How many lines those are apart that pixels of neighbouring rows of the band begin with."""
        if rows <= self.lines:
            return row_step
        return self.lines if row_step % self.lines == 0 else 1


def lie_abreast(channels: int, rows: int, columns: int, row_step: int, row_bytes: int) -> Abreast:
    """What takes the fewest steps, of these what takes the smallest band; `channels` are few enough."""

    def cost(of: Abreast) -> tuple[int, float]:
        return math.prod(of.steps(rows, columns, row_bytes)), of.bytes / of.apart(rows, row_step)

    return min(_possible(channels, rows), key=cost)


def _possible(channels: int, rows: int) -> Iterator[Abreast]:
    for lines in range(1, rows + 1):
        size = next((n for n in PIXEL_BYTES if lines * channels <= n), None)
        if size is None:
            return
        yield Abreast(lines, size)


def abreast_of(anchor: Value, tile: MatrixTile) -> Abreast:
    """That of a convolution."""
    _, channels, rows, columns = (int(n) for n in anchor.args[1].shape)  # type: ignore[arg-type]
    return lie_abreast(channels, rows, columns, anchor.attrs["strides"][0], tile.row_bytes)


def chosen(anchor: Value, place: Place, goal: Goal) -> MatrixTile | None:
    """The tile of digits that serves a convolution whose plain input is at `place`, if any."""
    x, w, *laid_out = anchor.args
    tile = goal.find_matrix("fixed24") if anchor.dtype is dt.F32 and x.dtype is dt.F32 else None
    if tile is None or anchor.prim != "conv_blocked" or x.rank != 4 or laid_out:
        return None
    at = anchor.attrs
    if w.data is None or at["group"] != 1 or goal.target.channel_block != tile.rows:
        return None
    outputs, channels, rows, columns = w.data.shape
    runs_on = runs_forward(place) and place.strides[3] == 1 and at["dilations"] == (1, 1)
    if not runs_on or rows == 1 or columns == 1:
        return None
    if channels > PIXEL_BYTES[-1] or outputs < _LEAST_OUTPUTS:
        return None
    if not _is_faster(anchor, tile, goal) or _tile_bytes(anchor, tile) > band_bytes(goal.target) // 4:
        return None
    return tile if allows(w, filters_have_digits) else None


def _is_faster(anchor: Value, tile: MatrixTile, goal: Goal) -> bool:
    """Than vectors: what a register of sums takes on both."""
    channels, rows, columns = (int(n) for n in anchor.args[1].shape[1:])  # type: ignore[arg-type]
    steps = math.prod(abreast_of(anchor, tile).steps(rows, columns, tile.row_bytes))
    products = tile.rows * tile.rows * channels * rows * columns
    on_vectors = products / (peak(goal.tile("f32"), goal) * _VECTOR_SHARE)
    return steps * _STEP_CYCLES + _END_CYCLES < on_vectors


def _tile_bytes(anchor: Value, tile: MatrixTile) -> int:
    """Bytes of the band of one tile."""
    shape, of = MatrixShape(tile), abreast_of(anchor, tile)
    rows, columns = (int(n) for n in anchor.args[1].shape[2:])  # type: ignore[arg-type]
    row_step, step = anchor.attrs["strides"]
    width = shape.rows * step + columns + PIXELS
    return int((row_step * (ACROSS - 1) + rows + of.lines) * width * of.bytes * len(shape.held))


def in_steps(w: np.ndarray, row_step: int, row_bytes: int) -> np.ndarray:
    """w[OC, IC, R, C] as rows [step of lines][step of pixels][pixel][line][channel] of a matrix [K, OC]."""
    outputs, channels, rows, columns = w.shape
    of = lie_abreast(channels, rows, columns, row_step, row_bytes)
    (down, across), pixels = of.steps(rows, columns, row_bytes), of.pixels(row_bytes)
    padding = (0, 0), (0, 0), (0, down * of.lines - rows), (0, across * pixels - columns)
    taps = np.pad(w, padding).reshape(outputs, channels, down, of.lines, across, pixels)
    by_pixel = taps.transpose(2, 4, 5, 3, 1, 0).reshape(down, across, pixels, of.lines * channels, outputs)
    missing = (0, of.bytes - of.lines * channels)
    whole = np.pad(by_pixel, ((0, 0), (0, 0), (0, 0), missing, (0, 0)))
    return np.ascontiguousarray(whole.reshape(-1, outputs))
