"""How many tiles and panels are worked on at a time, and where their data lie in a thread's scratch.

Pure arithmetic on compile-time sizes; must not know LLVM.
"""

from __future__ import annotations

import math

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.scheme import Scheme

_LINE = 64
"""Bytes of a cache line."""

LINE_TILES = 8
"""Tiles of one line of a sample that are brought back together, while their pixels are in L1."""

_MOST_TILES = 56
"""Tiles that are worked on at a time: weights are read again for each strip, so many more gain nothing."""

_PANELS_BESIDE = 4
"""Panels that are worked on together where transformed tiles do not stay in L2 from one to the next."""


_PANELS_OF_REGISTERS = 8
"""The same where matrix registers multiply, which cut the points of tiles for them first."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passes between L2 and the memory behind it, by the bytes of all weights and of a tile's input."""

    weight_bytes: int
    input_bytes: int
    l2_bytes: int

    def stays(self, tiles: int) -> bool:
        """Whether the transformed input of so many tiles stays in L2 from one panel to the next."""
        return 4 * tiles * self.input_bytes <= 3 * self.l2_bytes

    def bytes_of(self, tiles: int, together: int) -> int:
        """For so many tiles, of which so many are worked on together."""
        strips = math.ceil(tiles / together) if 2 * self.weight_bytes > self.l2_bytes else 0
        spilled = 0 if self.stays(min(tiles, together)) else 2 * tiles * self.input_bytes
        return strips * self.weight_bytes + spilled


@dataclass(frozen=True, slots=True)
class Blocking:
    """How many tiles are worked on with how many panels of weights; the pitches are in bytes.

    Transformed samples are [tile][point][channel], products [panel][tile][point][columns]: what a tile reads
    and writes is in few pages of memory.
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
    tile_pitch = _odd_lines(points * point_pitch)
    product_bytes = product_tile_bytes(points, shape)
    weights = math.prod(packed_sizes(channels, outputs, scheme, goal)) if scheme.tile else channels * outputs
    traffic = Traffic(points * weights * number, tile_pitch, goal.target.l2_bytes)
    most = -(-outputs // shape.columns)
    if scheme.tile:
        matrix = MatrixShape(scheme.tile)
        tiles, panels = matrix.rows, min(_PANELS_OF_REGISTERS, most)
        cut_bytes = 2 * cut_step_bytes(matrix) + tiles * _cut_pitch(channels, matrix)
    else:
        choices = [n for k in (2, 4, 8) if (n := k * shape.max_rows) <= _MOST_TILES]
        tiles = min(choices, key=lambda n: traffic.bytes_of(n, n) / n)
        panels, cut_bytes = 1 if traffic.stays(tiles) else min(_PANELS_BESIDE, most), 0
    scratch_bytes = patch_bytes(shape) + tiles * (tile_pitch + panels * product_bytes) + cut_bytes
    return Blocking(tiles, panels, point_pitch, tile_pitch, scratch_bytes, traffic)


def packed_sizes(channels: int, outputs: int, scheme: Scheme, goal: Goal) -> tuple[int, int]:
    """Channels and outputs of packed weights: whole blocks of outputs, or what fills registers."""
    block, step = goal.target.channel_block, 1
    if scheme.tile:
        matrix = MatrixShape(scheme.tile)
        block, step = matrix.rows, matrix.k_step
    return -(-channels // step) * step, -(-outputs // block) * block


def cut_step_bytes(matrix: MatrixShape) -> int:
    """Bytes of the numbers of registers of a step of a panel."""
    return ACROSS * matrix.planes * matrix.register_bytes


def _cut_pitch(channels: int, matrix: MatrixShape) -> int:
    """Bytes between the numbers of registers of a point of two tiles."""
    return _odd_lines(-(-channels // matrix.k_step) * matrix.tile.row_bytes * matrix.planes)


def product_tile_bytes(points: int, shape: TileShape) -> int:
    """Bytes between the products of two tiles."""
    return _odd_lines(points * shape.panel_row_bytes)


def patch_bytes(shape: TileShape) -> int:
    """A patch of 6 x 6 points and LINE_TILES tiles of 4 x 4 pixels, a block of channels each."""
    return shape.element * shape.block * (6 * 6 + LINE_TILES * 4 * 4)


def _odd_lines(size_bytes: int) -> int:
    """Rounded up to an odd number of cache lines: what lies so far apart is in different sets of a cache."""
    return (-(-size_bytes // _LINE) | 1) * _LINE
