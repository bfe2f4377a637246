"""What tiles prefetch while they compute: never anything but packed weights that are still to be read."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.share import ceil_div
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, UNROLL, TileWords
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of packed B that each of some tiles reads from begin to end."""

    begin: V
    size_bytes: V

    def end(self, f: Function) -> V:
        """The address behind it."""
        return f.gep(self.begin, self.size_bytes, "i8")


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the tiles that share one run of B prefetch: never anything but B that is still to be read.

    A lone tile reads B at the speed of memory and looks a fixed distance ahead, in its run and beyond, or not
    at all where the machine looks further than loads and prefetches reach;
    several tiles together fetch one run that follows, each its part. Where nothing follows, they ask for the
    end of their own run again and again, which costs next to nothing.
    """

    address: V
    last: V
    step: V
    per_tile: V

    @staticmethod
    def of(f: Function, shape: TileShape, tiles: V, few: V, width: V, run: Run, following: Run) -> Ahead:
        """For `tiles` tiles that each read `run`, `width` elements a step, before `following` is read.

        `few` tells that a tile has so few rows that its k is split.
        """
        turn = f.mul(width, int_(UNROLL * shape.packed_bytes))
        lines = ceil_div(f, f.binary("udiv", turn, int_(CACHE_LINE)), tiles)
        step = f.mul(lines, int_(CACHE_LINE))
        turns = f.binary("udiv", run.size_bytes, turn)
        run_end, far = run.end(f), following.end(f)
        distance = f.select(few, int_(shape.prefetch.few_bytes), int_(shape.prefetch.alone_bytes))
        is_apart = f.icmp("ne", following.begin, run_end)
        is_short = f.icmp("sle", run.size_bytes, int_(2 * shape.prefetch.alone_bytes))
        lone_end = f.select(is_apart, run_end, far)
        near = f.gep(following.begin, f.smin(following.size_bytes, run.size_bytes), "i8")
        follows = f.icmp("sge", following.size_bytes, turn)
        leaps = f.binary("and", follows, f.binary("and", is_apart, is_short))
        alone = f.binary("and", f.icmp("eq", tiles, int_(1)), f.binary("xor", leaps, int_(1, "i1")))
        end = f.select(alone, lone_end, f.select(follows, near, run_end))
        last = f.gep(end, f.sub(int_(0), turn), "i8")
        soon = last if shape.prefetch.streams > 1 else f.gep(run.begin, distance, "i8")
        begin = f.select(alone, soon, f.select(follows, following.begin, last))
        return Ahead(begin, last, step, f.mul(turns, step))

    @staticmethod
    def apart(address: V, per_tile: V) -> Ahead:
        """From an address on, as far for each tile as it was told, and no further."""
        return Ahead(address, V("null", "ptr"), int_(0), per_tile)

    @staticmethod
    def nothing() -> Ahead:
        """Nothing is prefetched."""
        return Ahead.apart(V("null", "ptr"), int_(0))

    @property
    def words(self) -> dict[int, V]:
        """The words of a descriptor."""
        return {TileWords.AHEAD_STEP: self.step, TileWords.AHEAD_LAST: self.last}
