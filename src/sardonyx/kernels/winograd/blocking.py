"""How many tiles and panels are worked on at a time, and where their data lie in a thread's scratch.

Pure arithmetic on compile-time sizes; must not know LLVM.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.convolution.cost import has_whole_units
from sardonyx.kernels.digits.kernel import SUM_BYTES
from sardonyx.kernels.digits.numbers import column_bytes
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.cut import scale_bytes
from sardonyx.kernels.winograd.scheme import Scheme

_LINE = 64
"""Bytes of a cache line."""

LINE_TILES = 8
"""Tiles of one line of a sample that are brought back together, while their pixels are in L1."""

_MOST_TILES = 56
"""Tiles that are worked on at a time: weights are read again for each strip, so many more gain nothing."""

_PANELS_BESIDE = 4
"""Panels that are worked on together where transformed tiles do not stay in L2 from one to the next."""

_CUT_TILES = (32, 64, 112)
"""Tiles whose digits are held at a time: for weights of at most half of L2, of at most L2, and more.

Weights are read for each strip, digits for each panel: the larger weights are, the more tiles share them.
"""


_WHOLE_BYTES_PER_CYCLE = 8
"""Of weights, that a core with whole units reads from a shared cache; a step takes a cycle a row."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passes between L2 and the memory behind it, by the bytes of all weights and of a tile's input.

    That is read or written `passes` times if it does not stay.
    """

    weight_bytes: int
    input_bytes: int
    l2_bytes: int
    passes: int = 2

    def stays(self, tiles: int) -> bool:
        """Whether the transformed input of so many tiles stays in L2 from one panel to the next."""
        return 4 * tiles * self.input_bytes <= 3 * self.l2_bytes

    def bytes_of(self, tiles: int, together: int) -> int:
        """For so many tiles, of which so many are worked on together."""
        return self.weights_of(tiles, together) + self.spilled_of(tiles, together)

    def weights_of(self, tiles: int, together: int) -> int:
        """The same of weights alone."""
        strips = math.ceil(tiles / together) if 2 * self.weight_bytes > self.l2_bytes else 0
        return strips * self.weight_bytes

    def spilled_of(self, tiles: int, together: int) -> int:
        """The same of transformed input."""
        return 0 if self.stays(min(tiles, together)) else self.passes * tiles * self.input_bytes


@dataclass(frozen=True, slots=True)
class Blocking:
    """How many tiles are worked on with how many panels of weights; the pitches are in bytes.

    Transformed samples are [tile][point][channel], products [panel][tile][point][columns]: what a tile reads
    and writes is in few pages of memory. Those of matrix registers are digits, [point][tile][step], a
    tile_pitch apart; of one tile at a time [point][channel] are floats before, a point_pitch apart.
    """

    tiles: int
    panels: int
    point_pitch: int
    tile_pitch: int
    scratch_bytes: int
    traffic: Traffic


def blocking(channels: int, outputs: int, scheme: Scheme, goal: Goal) -> Blocking:
    """For a convolution of `channels` to `outputs` channels."""
    shape, points = TileShape.of(goal, scheme.operand), scheme.points
    number = shape.operand_bytes
    point_pitch = _odd_lines(-(-channels // shape.block) * shape.block * number)
    if scheme.tile:
        return _of_digits(channels, outputs, scheme, MatrixShape(scheme.tile), point_pitch, goal)
    tile_pitch = _odd_lines(points * point_pitch)
    traffic = Traffic(points * channels * outputs * number, tile_pitch, goal.target.l2_bytes)
    fewest = 1 if scheme.step > 1 else 2
    choices = [n for k in (fewest, 2, 4, 8) if (n := k * shape.max_rows) <= _MOST_TILES]
    tiles = min(choices, key=lambda n: traffic.bytes_of(n, n) / n)
    panels = 1 if traffic.stays(tiles) else min(_PANELS_BESIDE, -(-outputs // shape.columns))
    tile_bytes = tile_pitch + panels * product_tile_bytes(points, shape)
    used = patch_bytes(shape, scheme) + tiles * tile_bytes
    return Blocking(tiles, panels, point_pitch, tile_pitch, used, traffic)


def few_tiles(channels: int, outputs: int, scheme: Scheme, goal: Goal) -> int:
    """With fewer tiles than these a thread waits for the weights that it reads; 0 if they stay in L2.

    Without whole units these are more than are worked on at a time.
    """
    shape = TileShape.of(goal, scheme.operand)
    if scheme.points * channels * outputs * shape.operand_bytes <= goal.target.l2_bytes:
        return 0
    if scheme.tile is None and has_whole_units(goal.target):
        return shape.panel_row_bytes // _WHOLE_BYTES_PER_CYCLE
    return blocking(channels, outputs, scheme, goal).tiles + 1


def _of_digits(
    channels: int, outputs: int, scheme: Scheme, matrix: MatrixShape, point_pitch: int, goal: Goal
) -> Blocking:
    """The same on matrix registers: a strip is as long as weights are large."""
    shape, points = TileShape.of(goal, scheme.operand), scheme.points
    channels, outputs = packed_sizes(channels, outputs, scheme, goal)
    steps = channels // matrix.k_step
    row = steps * matrix.planes * matrix.tile.row_bytes
    weight_bytes = points * outputs * column_bytes(matrix, steps)
    products = product_tile_bytes(points, shape) + scale_bytes(points)
    panels = -(-outputs // shape.columns)
    traffic = Traffic(weight_bytes, points * row + products, goal.target.l2_bytes, panels)
    tiles = _CUT_TILES[bisect_left((goal.target.l2_bytes // 2, goal.target.l2_bytes), weight_bytes)]
    floats = patch_bytes(shape, scheme) + points * (point_pitch + _LINE)
    rest = matrix.tile.rows * products + SUM_BYTES
    return Blocking(tiles, 1, point_pitch, row, floats + tiles * traffic.input_bytes + rest, traffic)


def packed_sizes(channels: int, outputs: int, scheme: Scheme, goal: Goal) -> tuple[int, int]:
    """Channels and outputs of packed weights: whole steps of registers, whole blocks of outputs."""
    block, step = goal.target.channel_block, MatrixShape(scheme.tile).k_step if scheme.tile else 1
    return -(-channels // step) * step, -(-outputs // block) * block


def product_tile_bytes(points: int, shape: TileShape) -> int:
    """Bytes between the products of two tiles."""
    return _odd_lines(points * shape.panel_row_bytes)


def patch_bytes(shape: TileShape, scheme: Scheme) -> int:
    """A patch of points, and LINE_TILES tiles of 4 x 4 pixels, a block of channels each."""
    return shape.element * shape.block * (max(6 * 6, scheme.points) + LINE_TILES * 4 * 4)


def _odd_lines(size_bytes: int) -> int:
    """Rounded up to an odd number of cache lines: what lies so far apart is in different sets of a cache."""
    return (-(-size_bytes // _LINE) | 1) * _LINE
