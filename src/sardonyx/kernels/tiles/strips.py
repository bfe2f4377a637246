"""The tiles of a panel, one after the other; sums in scratch are passed on in strips, while they are in L1.

Decides what a strip is; must not know how a tile is summed or what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Lines:
    """Tiles lie in lines of `parts`, `step` apart; a strip ends with its line."""

    parts: V
    step: V


@dataclass(frozen=True, slots=True)
class Strip:
    """Tiles that are passed on together: where their sums begin, and the position of the first."""

    sums: V
    first: Sequence[V]


@dataclass(frozen=True, slots=True)
class Strips:
    """Tiles `low` to `high`, the first of which is at a position: its index in its line, and that line.

    Without `lines` the index alone. A strip has at most so many tiles. Sums lie in scratch from `sums` on,
    those of all tiles if they are `kept` for more to be added; else those of one strip where those of the
    last were.
    """

    low: V
    high: V
    begin: Sequence[V]
    sums: V
    kept: V
    passes_on: V
    lines: Lines | None = None
    most: V = int_(STRIP_TILES)

    def write(
        self,
        f: Function,
        shape: TileShape,
        ahead: Ahead,
        tile: Callable[[V, Sequence[V], V, V], V],
        pass_on: Callable[[Strip, V], None],
    ) -> None:
        """Write `tile` of its number, its position, what it prefetches and where its sums go; it gives rows.

        And `pass_on` of each strip and the index behind its last tile, if `passes_on` is true.
        """
        count = len(self.begin)
        carried = [ahead.address, self.sums, *self.begin, self.sums, *self.begin]
        with f.loop(self.low, self.high, 1, carried) as each:
            later, own, *values = each.carried
            position, strip = values[:count], Strip(values[count], values[count + 1 :])
            rows = tile(each.index, position, later, own)
            filled = f.gep(own, f.mul(rows, int_(shape.panel_row_bytes)), "i8")
            after = f.add(position[0], int_(1))
            long = f.icmp("eq", f.sub(after, strip.first[0]), self.most)
            last = f.icmp("eq", f.add(each.index, int_(1)), self.high)
            following, ends = [after], f.binary("or", long, last)
            if self.lines:
                wraps = f.icmp("eq", after, self.lines.parts)
                beyond = f.add(position[1], self.lines.step)
                following = [f.select(wraps, int_(0), after), f.select(wraps, beyond, position[1])]
                ends = f.binary("or", wraps, ends)
            with f.when(f.binary("and", ends, self.passes_on)):
                pass_on(strip, after)
            kept = f.select(self.kept, filled, self.sums)
            begun = zip((kept, *following), (strip.sums, *strip.first), strict=True)
            each.next(
                f.gep(later, ahead.per_tile, "i8"),
                f.select(ends, kept, filled),
                *following,
                *(f.select(ends, new, old) for new, old in begun),
            )
