"""Where the tiles of samples lie: positions that run on through lines and samples.

Must not know transforms.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div
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
class Grid:
    """The tiles of a sample of `height` lines and `width` pixels: how many along each axis.

    The lines of a tile are `step` apart, as the taps of its window are.
    """

    scheme: Scheme
    height: V
    width: V
    step: V
    lines: V
    columns: V

    @staticmethod
    def of(f: Function, scheme: Scheme, words: Mapping[Winograd, V]) -> Grid:
        """Those of a call."""
        height, width = words[Winograd.LINES], words[Winograd.PIXELS]
        step = words[Winograd.LINE_STEP] if scheme.has_lines else int_(1)
        along, across = (int_(n) for n in scheme.outputs)
        lines = f.mul(ceil_div(f, height, f.mul(step, along)), step) if scheme.has_lines else height
        return Grid(scheme, height, width, step, lines, ceil_div(f, width, across))

    def count(self, f: Function) -> V:
        """Tiles of a sample."""
        return f.mul(self.lines, self.columns)

    def first_line(self, f: Function, position: Position) -> V:
        """The first line of a tile: `step` tiles that begin one after the other lie between each other."""
        if not self.scheme.has_lines:
            return position.line
        run, at = (f.binary(how, position.line, self.step) for how in ("udiv", "urem"))
        return f.add(f.mul(run, f.mul(self.step, int_(self.scheme.outputs[0]))), at)

    def first_pixel(self, f: Function, position: Position) -> V:
        """The first pixel of a tile."""
        return f.mul(position.column, int_(self.scheme.outputs[1]))

    def lines_from(self, f: Function, first: V) -> V:
        """Lines from `first` on, `step` apart; none if a tile lies beyond its sample."""
        return ceil_div(f, f.sub(self.height, first), self.step)

    def position(self, f: Function, tile: V) -> Position:
        """Where tile number `tile` of all samples lies."""
        line = f.binary("udiv", tile, self.columns)
        column = f.binary("urem", tile, self.columns)
        return Position(f.binary("udiv", line, self.lines), f.binary("urem", line, self.lines), column)

    def after(self, f: Function, position: Position, tiles: V) -> Position:
        """So many tiles further, at most to the begin of the next line."""
        column = f.add(position.column, tiles)
        wraps = f.icmp("eq", column, self.columns)
        line = f.add(position.line, f.convert("zext", wraps, "i64"))
        ends = f.icmp("eq", line, self.lines)
        return Position(
            f.add(position.sample, f.convert("zext", ends, "i64")),
            f.select(ends, int_(0), line),
            f.select(wraps, int_(0), column),
        )
