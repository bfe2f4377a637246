"""Where the tiles of samples lie: positions that run on through lines and samples.

Must not know transforms.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div
from sardonyx.kernels.winograd.blocking import LINE_TILES
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Position:
    """A tile: its sample, and its line and column among the tiles of the sample."""

    sample: V
    line: V
    column: V

    @property
    def values(self) -> list[V]:
        """The fields, as values that a loop carries."""
        return [self.sample, self.line, self.column]


@dataclass(frozen=True, slots=True)
class Along:
    """The `count` tiles along one axis of `size` results: `outputs` in each, `step` apart as taps are.

    So many tiles that begin one after the other lie between each other.
    """

    size: V
    outputs: int
    step: V
    count: V

    @staticmethod
    def of(f: Function, size: V, outputs: int, step: V) -> Along:
        """Those that cover all results."""
        return Along(size, outputs, step, f.mul(ceil_div(f, size, f.mul(step, int_(outputs))), step))

    def first(self, f: Function, tile: V) -> V:
        """The first result of a tile."""
        run, at = (f.binary(how, tile, self.step) for how in ("udiv", "urem"))
        return f.add(f.mul(run, f.mul(self.step, int_(self.outputs))), at)

    def left(self, f: Function, first: V) -> V:
        """Results from `first` on, `step` apart; none if a tile lies beyond its sample."""
        return ceil_div(f, f.sub(self.size, first), self.step)


@dataclass(frozen=True, slots=True)
class Grid:
    """The tiles of a sample, along lines and along pixels."""

    lines: Along
    pixels: Along

    @staticmethod
    def of(f: Function, scheme: Scheme, words: Mapping[Winograd, V]) -> Grid:
        """Those of a call."""
        (down, across), one = scheme.outputs, int_(1)
        line_step = words[Winograd.LINE_STEP] if scheme.has_lines else one
        return Grid(
            Along.of(f, words[Winograd.LINES], down, line_step),
            Along.of(f, words[Winograd.PIXELS], across, words[Winograd.PIXEL_STEP]),
        )

    def count(self, f: Function) -> V:
        """Tiles of a sample."""
        return f.mul(self.lines.count, self.pixels.count)

    def first(self, f: Function, position: Position) -> tuple[V, V]:
        """The first line and the first pixel of a tile."""
        return self.lines.first(f, position.line), self.pixels.first(f, position.column)

    def position(self, f: Function, tile: V) -> Position:
        """Where tile number `tile` of all samples lies."""
        line, column = (f.binary(how, tile, self.pixels.count) for how in ("udiv", "urem"))
        sample, line = (f.binary(how, line, self.lines.count) for how in ("udiv", "urem"))
        return Position(sample, line, column)

    def after(self, f: Function, position: Position, tiles: V) -> Position:
        """So many tiles further, at most to the begin of the next line."""
        column = f.add(position.column, tiles)
        wraps = f.icmp("eq", column, self.pixels.count)
        line = f.add(position.line, f.convert("zext", wraps, "i64"))
        ends = f.icmp("eq", line, self.lines.count)
        return Position(
            f.add(position.sample, f.convert("zext", ends, "i64")),
            f.select(ends, int_(0), line),
            f.select(wraps, int_(0), column),
        )


@dataclass(frozen=True, slots=True)
class Beside:
    """Some tiles of a line, at most LINE_TILES, and how their pixels lie in a line of scratch.

    They are `pieces` runs of so many pixels, side by side; in the sample runs begin a step apart. The pitches
    are between the pixels of a tile, and between the first ones of tiles.
    """

    tiles: V
    pieces: V
    pixels: V
    pixel_pitch: V
    tile_pitch: V

    @staticmethod
    def of(f: Function, along: Along, tile: V, most: V) -> Beside:
        """Those from a tile of the line on: where its pixels are apart, those that lie between them."""
        dense = f.icmp("eq", along.step, int_(1))
        rest = f.sub(along.count, tile)
        between = f.sub(along.step, f.binary("urem", tile, along.step))
        tiles = f.smin(f.smin(f.select(dense, rest, between), most), int_(LINE_TILES))
        outputs, one = int_(along.outputs), int_(1)
        joined = f.binary("or", dense, f.icmp("eq", tiles, along.step))
        return Beside(
            tiles,
            f.select(joined, one, outputs),
            f.select(joined, f.mul(tiles, outputs), tiles),
            f.select(dense, one, tiles),
            f.select(dense, outputs, one),
        )
