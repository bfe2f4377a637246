"""Where the tiles of samples lie: positions that run on through lines and samples.

Must not know transforms.
"""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.share import ceil_div
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
    """How many tiles of `outputs` x `outputs` pixels a sample has along each axis."""

    lines: V
    columns: V

    @staticmethod
    def of(f: Function, lines: V, pixels: V, outputs: int) -> Grid:
        """For a sample of so many lines and pixels."""
        return Grid(*(ceil_div(f, size, int_(outputs)) for size in (lines, pixels)))

    def count(self, f: Function) -> V:
        """Tiles of a sample."""
        return f.mul(self.lines, self.columns)

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
