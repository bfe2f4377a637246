"""How many tiles and panels are worked on at a time, and where their data lie in a thread's scratch.

Pure arithmetic on compile-time sizes; must not know LLVM.
"""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.shape import TileShape

ELEMENT = 4
"""Bytes of an element."""

_LINE_ELEMENTS = 64 // ELEMENT
"""Elements of a cache line."""

LINE_TILES = 8
"""Tiles of one line of a sample that are brought back together, while their pixels are in L1."""

_MOST_TILES = 56
"""Tiles that are worked on at a time: weights are read again for each strip, so many more gain nothing."""

_PANELS_BESIDE = 4
"""Panels that are worked on together where transformed tiles do not stay in L2 from one to the next."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """How many tiles are worked on with how many panels of weights; the pitches are in elements.

    Transformed samples are [tile][point][channel], products [panel][tile][point][columns]: what a tile reads
    and writes is in few pages of memory. `traffic_bytes` pass between L2 and what is behind it for each tile.
    """

    tiles: int
    panels: int
    point_pitch: int
    tile_pitch: int
    scratch_bytes: int
    traffic_bytes: float


def blocking(channels: int, outputs: int, points: int, goal: Goal) -> Blocking:
    """For a convolution of `channels` to `outputs` channels with so many points a tile."""
    shape = TileShape.of(goal, "f32")
    point_pitch = _odd_lines(channels)
    tile_pitch = _odd_lines(points * point_pitch)
    input_bytes, product = tile_pitch * shape.element, product_tile_bytes(points, shape)
    weights, l2_bytes = points * channels * outputs * shape.element, goal.target.l2_bytes

    def stays(tiles: int) -> bool:
        return 4 * tiles * input_bytes <= 3 * l2_bytes

    def traffic(tiles: int) -> float:
        """Bytes beyond L2 for each tile."""
        again = weights / tiles if 2 * weights > l2_bytes else 0
        return again + (0 if stays(tiles) else 2 * input_bytes)

    tiles = min((n for k in (2, 4, 8) if (n := k * shape.max_rows) <= _MOST_TILES), key=traffic)
    panels = 1 if stays(tiles) else min(_PANELS_BESIDE, -(-outputs // shape.columns))
    scratch_bytes = patch_bytes(shape) + tiles * (input_bytes + panels * product)
    return Blocking(tiles, panels, point_pitch, tile_pitch, scratch_bytes, traffic(tiles))


def product_tile_bytes(points: int, shape: TileShape) -> int:
    """Bytes between the products of two tiles."""
    return _odd_lines(points * shape.columns) * shape.element


def patch_bytes(shape: TileShape) -> int:
    """A patch of 6 x 6 points and LINE_TILES tiles of 4 x 4 pixels, a block of channels each."""
    return ELEMENT * shape.block * (6 * 6 + LINE_TILES * 4 * 4)


def _odd_lines(elements: int) -> int:
    """Rounded up to an odd number of cache lines: what lies so far apart is in different sets of a cache."""
    return (-(-elements // _LINE_ELEMENTS) | 1) * _LINE_ELEMENTS
