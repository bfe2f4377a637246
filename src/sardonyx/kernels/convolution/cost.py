"""What direct sums of a convolution take, in cycles: on vectors, and on matrix registers.

Its constants were measured on a server core with AMX and 2 MB of L2, from 16 to 2048 channels and from 7 to
112 pixels, in six terms. Must not know what is chosen.
"""

from __future__ import annotations

import math

from sardonyx.base import dim as dims
from sardonyx.base.assumed import IMAGE_PIXELS, assumed
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape

_UNITS = 2
"""Those that multiply or add vectors, or what they take of one at a time."""

_WHOLE_LANES = 16

_VECTOR_SHARE = 0.93
"""Of the peak of vectors."""

_MOVE_CYCLES = 4.0
"""For a pixel of a block of inputs to be read first, or of outputs to be stored, on vectors."""

_ROW_CYCLES, _LEAST_ROWS = {"bf16": 1.4, "s8": 1.7}, {"bf16": 13, "s8": 10}
"""For a row of a register to be multiplied; fewer rows wait for sums as long as these."""

_SPLIT_CYCLES = {"bf16": 7.8, "s8": 15.5}
"""For a step of channels of a pixel to be read and split into one number."""

_END_CYCLES = {"bf16": 12.0, "s8": 11.0}
"""For a pixel of a block of outputs to be stored, read again and finished."""

_BYTE_CYCLES = {"bf16": {True: 0.17, False: 0.115}, "s8": {True: 0.13, False: 0.1}}
"""For a byte of weights to be read beside products, from memory or from a shared cache."""

_VECTOR_BYTE_CYCLES = 0.04
"""The same beside those on vectors, which take longer."""

_PART_CYCLES = 0.55
"""For a weight to be split."""

_FLOAT_BYTES = 4

_FREE_SEQUENCES = 8
"""Samples of short lines that only a feed tells."""

_SHORT = range(8, 65)
"""Pixels of a short line; fewer have kernels of their own, for the lines of one sample alone."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Those of one convolution's results, and how many lines and pixels its taps are apart."""

    batch: int
    lines: int
    pixels: int
    channels: int
    outputs: int
    steps: tuple[int, int] = (1, 1)


def samples_are_lines(anchor: Value) -> bool:
    """Whether samples, of a short line each, are the lines of one image, of which a tile may hold two."""
    pixels, taps = anchor.shape[3], anchor.args[1].shape[2]
    return anchor.shape[2] == taps == 1 and pixels in _SHORT


def sizes_of(anchor: Value) -> Sizes:
    """The sizes, with those that only a feed tells taken for those of one common image."""
    batch, _, lines, pixels, _ = anchor.shape
    one = dict.fromkeys(dims.symbols(batch), 1)
    if samples_are_lines(anchor):
        one = dict.fromkeys(one, _FREE_SEQUENCES)
        batch, lines = 1, batch

    def size(dim: Dim) -> int:
        return max(1, assumed(dim, IMAGE_PIXELS, one))

    outputs, channels, *taps = (int(n) for n in anchor.args[1].shape)  # type: ignore[arg-type]
    down, across = (d if n > 1 else 1 for d, n in zip(anchor.attrs["dilations"], taps, strict=True))
    return Sizes(size(batch), size(lines), size(pixels), channels, outputs, (down, across))


def has_whole_units(target: Target) -> bool:
    """Whether a machine tells that units take all lanes of AVX-512: beside those that multiply others add."""
    return target.unit_lanes == _WHOLE_LANES


def peak(tile: RegisterTile, goal: Goal) -> float:
    """Products that a tile multiplies and adds a cycle at the most."""
    target = goal.target
    instructions = 2 if tile.instruction.sum_register and not has_whole_units(target) else 1
    return _UNITS / instructions * tile.k_step * min(target.lanes, target.unit_lanes or target.lanes)


def vector_cycles(sizes: Sizes, taps: tuple[int, int], goal: Goal) -> float:
    """What direct sums of floats take on vectors."""
    block = goal.target.channel_block
    pixels, outputs = sizes.batch * sizes.lines * sizes.pixels, math.ceil(sizes.outputs / block)
    products = pixels * outputs * block * math.prod(taps) * sizes.channels
    arithmetic = products / (peak(goal.tile("f32"), goal) * _VECTOR_SHARE)
    moved = pixels * (outputs + math.ceil(sizes.channels / block))
    read = sizes.outputs * sizes.channels * math.prod(taps) * _FLOAT_BYTES
    return arithmetic + moved * _MOVE_CYCLES + read * _VECTOR_BYTE_CYCLES


def matrix_cycles(
    sizes: Sizes, taps: tuple[int, int], strides: tuple[int, int], tile: MatrixTile, goal: Goal
) -> float:
    """What they take on matrix registers: to split the input, multiply, finish tiles and read weights."""
    shape = MatrixShape(tile)
    registers, steps = math.ceil(sizes.outputs / tile.rows), math.ceil(sizes.channels / shape.k_step)
    pixels = sizes.lines * sizes.pixels
    tiles, rows = _tiles(sizes, taps, strides, tile)
    products = tiles * ACROSS * registers * steps * math.prod(taps) * len(shape.terms)
    read = math.prod(s if n > 1 else 1 for s, n in zip(strides, taps, strict=True)) * pixels
    cycles = (
        products * max(rows, _LEAST_ROWS[tile.number]) * _ROW_CYCLES[tile.number]
        + read * steps * shape.planes * _SPLIT_CYCLES[tile.number]
        + pixels * registers * _END_CYCLES[tile.number]
    )
    count, each = weights(sizes, taps, tile), shape.planes * shape.number_bytes
    if are_split(sizes, taps, tile, goal):
        cycles, each = cycles + count * _PART_CYCLES, _FLOAT_BYTES
    return sizes.batch * cycles + count * each * _BYTE_CYCLES[tile.number][goal.streams]


def weights(sizes: Sizes, taps: tuple[int, int], tile: MatrixTile) -> int:
    """How many weights registers hold."""
    k_step = MatrixShape(tile).k_step
    steps, registers = math.ceil(sizes.channels / k_step), math.ceil(sizes.outputs / tile.rows)
    return steps * k_step * math.prod(taps) * registers * tile.rows


def are_split(sizes: Sizes, taps: tuple[int, int], tile: MatrixTile, goal: Goal) -> bool:
    """Whether weights are read as floats and split a panel at a time: parts of them would fill L2."""
    shape = MatrixShape(tile)
    parts = weights(sizes, taps, tile) * shape.planes * shape.number_bytes
    return shape.in_pairs and parts > goal.target.l2_bytes // 2


def run_on(sizes: Sizes, taps: tuple[int, int], strides: tuple[int, int], tile: MatrixTile) -> bool:
    """Whether registers are better filled by lines of the input one behind the other, borders and all.

    Where taps go down only those that fit a tile, so that its band is no larger.
    """
    if strides != (1, 1) or (taps[0] > 1 and sizes.pixels > MatrixShape(tile).rows):
        return False
    ways = _of_lines(sizes, tile), _of_running_lines(sizes, taps, tile)
    each, running = (tiles * max(rows, _LEAST_ROWS[tile.number]) for tiles, rows in ways)
    return running < each


def pitch(sizes: Sizes, taps: tuple[int, int]) -> int:
    """Pixels of a line of the input."""
    return sizes.pixels + (taps[1] - 1) * sizes.steps[1]


def _tiles(
    sizes: Sizes, taps: tuple[int, int], strides: tuple[int, int], tile: MatrixTile
) -> tuple[int, int]:
    """Tiles of pixels, and the rows of their registers."""
    is_one_line = (taps, strides) == ((1, 1), (1, 1))
    if is_one_line or run_on(sizes, taps, strides, tile):
        return _of_running_lines(sizes, taps, tile)
    return _of_lines(sizes, tile)


def _of_lines(sizes: Sizes, tile: MatrixTile) -> tuple[int, int]:
    most = MatrixShape(tile).rows
    if sizes.pixels * ACROSS <= most:
        return math.ceil(sizes.lines / ACROSS), sizes.pixels
    parts = math.ceil(sizes.pixels / most)
    return sizes.lines * parts, math.ceil(sizes.pixels / parts / ACROSS)


def _of_running_lines(sizes: Sizes, taps: tuple[int, int], tile: MatrixTile) -> tuple[int, int]:
    pixels = (sizes.lines - 1) * pitch(sizes, taps) + sizes.pixels
    return _of_lines(replace(sizes, lines=1, pixels=pixels), tile)
