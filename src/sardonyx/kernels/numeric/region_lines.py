"""Where the samples of a region lie along an axis of its image, in doubles."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import V, int_

_FAR = 2.0**40
"""Coordinates are cut off here before they become integers."""


def whole(x: Lanes) -> V:
    """A double as i64, cut off at both sides; NaN counts as below."""
    cut = (x > -_FAR).choose(x, -_FAR)
    cut = (cut < _FAR).choose(cut, _FAR)
    return x.f.convert("fptosi", cut.v, "i64")


@dataclass(frozen=True, slots=True)
class Line:
    """`cells` cells of `extent` pixels from `start` on, with `count` samples each, along `size` pixels.

    Where a sample lies is one quotient of the `length` of all cells: what lies on an edge does so exactly.
    """

    start: Lanes
    length: Lanes
    extent: Lanes
    cells: V
    count: V
    size: V

    @classmethod
    def of(cls, start: Lanes, length: Lanes, cells: V, ratio: V, size: V) -> Line:
        """A region of `length` pixels; `ratio` samples a cell, or 0 for as many as it has pixels."""
        f = start.f
        extent = length / Lanes(f, f.convert("sitofp", cells, "double"))
        chosen = f.icmp("sgt", ratio, int_(0))
        count = f.smax(f.select(chosen, ratio, whole(extent.unary("ceil"))), int_(0))
        return cls(start, length, extent, cells, count, size)

    def near(self, cell: V) -> tuple[V, V]:
        """The samples of a cell among which all those are that lie in the image: first and end."""
        f = self.start.f
        first, total, limit = (
            Lanes(f, f.convert("sitofp", v, "double")) for v in (cell, f.smax(self.count, int_(1)), self.size)
        )
        begin, step = self.start + first * self.extent, self.extent / total
        ends = [(edge - begin) / step - 0.5 for edge in (limit.like(-1.0), limit)]
        forward = ends[0] <= ends[1]
        low, high = forward.choose(ends[0], ends[1]), forward.choose(ends[1], ends[0])
        low_at = f.smin(f.smax(f.sub(whole(low), int_(1)), int_(0)), self.count)
        high_at = f.smin(f.smax(f.add(whole(high), int_(3)), low_at), self.count)
        # Without extent all samples are one, and on an edge of the image the distances above are 0 / 0.
        flat = step.equals(0.0).v
        return f.select(flat, int_(0), low_at), f.select(flat, self.count, high_at)

    def sample(self, cell: V, number: V) -> tuple[V, V, Lanes, V]:
        """The lower and upper pixel of a sample, the weight of the upper one, and whether it is inside."""
        f = self.start.f
        at, total = f.add(f.mul(cell, self.count), number), f.mul(self.cells, f.smax(self.count, int_(1)))
        halves, all_halves, limit = (
            Lanes(f, f.convert("sitofp", v, "double"))
            for v in (f.add(f.mul(at, int_(2)), int_(1)), f.mul(total, int_(2)), self.size)
        )
        place = self.start + halves * self.length / all_halves
        inside = (place >= -1.0) & (place <= limit)
        place = inside.choose(place.at_least(0.0), 0.0)
        last = f.sub(self.size, int_(1))
        low = f.smin(whole(place), last)
        high = f.smin(f.add(low, int_(1)), last)
        at_end = Lanes(f, f.icmp("sge", low, last))
        weight = place - Lanes(f, f.convert("sitofp", low, "double"))
        return low, high, at_end.choose(weight.like(0.0), weight), inside.v
