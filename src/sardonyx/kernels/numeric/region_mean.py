"""Means of samples in each cell of a region: pixels between two matrices of weights, of rows and of columns.

The weight of a pixel in a sample is that of its row times that of its column. Pixels without weight add
nothing, whatever they are. Must not know where regions come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.kernels.access import Access
from sardonyx.kernels.numeric.region_lines import Line
from sardonyx.kernels.share import ceil_div
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import V, float_, int_

_ABREAST = 4
"""Channels whose sums run side by side."""


def mean_bytes(target: Target, image: Sequence[Dim], cells: Sequence[int]) -> Dim:
    """Private memory that means over images [height, width] need, in bytes."""
    (height, width), (rows, columns) = image, cells
    numbers = rows * height + width * (columns + target.lanes) + _ABREAST * (width + target.lanes)
    return 16 * (rows + columns) + 8 * numbers


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of pixels by cell: at `cell` * `by_cell` + `pixel` * `by_pixel`.

    `spans` has i64 [groups, 2]: first and end of the pixels that some cells side by side reach, `first` and
    `end` those that all reach.
    """

    at: V
    by_cell: V
    by_pixel: V
    spans: V
    first: V
    end: V


class Means:
    """Writes the means over one region at a time."""

    def __init__(self, x: Access, scratch: V, lines: tuple[Line, Line]) -> None:
        self.f, self.x, self.scalar = x.f, x, x.compute
        self.lanes = x.target.lanes * 4 // size_of(self.scalar)
        self.down, self.across = lines
        f, rows, columns = self.f, self.down.cells, self.across.cells
        spans = [scratch, f.gep(scratch, f.mul(rows, int_(2)), "i64")]
        tables = f.gep(spans[1], f.mul(columns, int_(2)), "i64")
        self.pitch = f.mul(ceil_div(f, columns, int_(self.lanes)), int_(self.lanes))
        self.strip_pitch = f.add(self.across.size, int_(self.lanes))
        self.strips = f.gep(tables, f.mul(rows, self.down.size), self.scalar)
        beside = f.gep(self.strips, f.mul(self.strip_pitch, int_(_ABREAST)), self.scalar)
        every = Lanes(
            f, f.convert("sitofp", f.smax(f.mul(self.down.count, self.across.count), int_(1)), "double")
        )
        one = every.like(1.0)
        self.rows = self._weights(self.down, every, tables, (self.down.size, int_(1)), spans[0], 1)
        self.columns = self._weights(self.across, one, beside, (int_(1), self.pitch), spans[1], self.lanes)

    @cached_property
    def _zeros(self) -> list[V]:
        zero = self.f.splat(float_(0.0, self.scalar), self.lanes)
        return [zero] * _ABREAST

    def _weights(self, line: Line, divisor: Lanes, at: V, by: tuple[V, V], spans: V, group: int) -> Weights:
        """The weights of an axis, divided, with the spans of `group` cells each."""
        f = self.f
        by_cell, by_pixel = by
        numbers = f.mul(line.cells, by_cell) if group == 1 else f.mul(line.size, by_pixel)
        with f.loop(int_(0), numbers) as number:
            f.store(float_(0.0, self.scalar), f.gep(at, number.index, self.scalar))
        least = f.smin(self.down.count, self.across.count)
        some = f.icmp("sgt", f.smin(least, line.size), int_(0))
        with f.loop(int_(0), ceil_div(f, line.cells, int_(group)), 1, [line.size, int_(0)]) as run:
            begin = f.mul(run.index, int_(group))
            end = f.smin(f.add(begin, int_(group)), line.cells)
            with f.loop(begin, end, 1, [line.size, int_(0)]) as cell:
                first, last = line.near(cell.index)
                with f.loop(first, f.select(some, last, first), 1, cell.carried) as sample:
                    low, high, weight, inside = line.sample(cell.index, sample.index)
                    row = f.gep(at, f.mul(cell.index, by_cell), self.scalar)
                    for pixel, part in ((low, 1.0 - weight), (high, weight)):
                        kept = Lanes(f, inside).choose(part / divisor, 0.0)
                        self._add(kept, f.gep(row, f.mul(pixel, by_pixel), self.scalar))
                    sample.next(
                        f.smin(sample.carried[0], low), f.smax(sample.carried[1], f.add(high, int_(1)))
                    )
                cell.next(*sample.carried)
            for n, bound in enumerate(cell.carried):
                f.store(bound, f.gep(spans, f.add(f.mul(run.index, int_(2)), int_(n)), "i64"))
            run.next(f.smin(run.carried[0], cell.carried[0]), f.smax(run.carried[1], cell.carried[1]))
        return Weights(at, by_cell, by_pixel, spans, *run.carried)

    def _add(self, part: Lanes, at: V) -> None:
        f = self.f
        rounded = part.v if self.scalar == "double" else f.convert("fptrunc", part.v, self.scalar)
        f.store(f.binary("fadd", f.load(at, self.scalar), rounded), at)

    def _span(self, weights: Weights, number: V) -> tuple[V, V]:
        f, at = self.f, self.f.mul(number, int_(2))
        first, end = (f.load(f.gep(weights.spans, n, "i64"), "i64") for n in (at, f.add(at, int_(1))))
        return first, end

    def write(self, plane: V, count: V, y: V, first: V) -> None:
        """Means of `count` channels, the first one at `plane`, into y from element `first` on."""
        f = self.f
        pixels, cells = f.mul(self.down.size, self.across.size), f.mul(self.down.cells, self.across.cells)
        with f.loop(int_(0), count, _ABREAST) as at:
            left = f.sub(count, at.index)
            planes = []
            for n in range(_ABREAST):
                channel = f.add(at.index, f.smin(int_(n), f.sub(left, int_(1))))
                planes.append(f.gep(plane, f.mul(channel, pixels), self.x.plain))
            begin = f.add(first, f.mul(at.index, cells))
            with f.loop(int_(0), self.down.cells) as row:
                self._strips(planes, row.index)
                self._cells(y, f.add(begin, f.mul(row.index, self.across.cells)), left, cells)

    def _strips(self, planes: list[V], row: V) -> None:
        """The rows of pixels that a row of cells reaches, as one by their weights."""
        f, columns = self.f, self.columns
        weights = f.gep(self.rows.at, f.mul(row, self.rows.by_cell), self.scalar)
        with f.loop(columns.first, columns.end, self.lanes) as x:
            mask = f.tail_mask(f.sub(columns.end, x.index), self.lanes)
            with f.loop(*self._span(self.rows, row), 1, self._zeros) as line:
                weight = f.load(f.gep(weights, line.index, self.scalar), self.scalar)
                heavy = f.fcmp("une", weight, float_(0.0, self.scalar))
                factor = f.splat(weight, self.lanes)
                at = f.add(f.mul(line.index, self.across.size), x.index)
                seen = [self.x.load_lanes(plane, at, mask) for plane in planes]
                line.next(*self._sums(heavy, seen, factor, line.carried))
            for n, total in enumerate(line.carried):
                f.store(total, self._strip(n, x.index))

    def _cells(self, y: V, first: V, left: V, cells: V) -> None:
        """A row of cells from strips, by the weights of columns."""
        f, columns = self.f, self.columns
        with f.loop(int_(0), self.across.cells, self.lanes) as column:
            weights = f.gep(columns.at, column.index, self.scalar)
            group = f.binary("udiv", column.index, int_(self.lanes))
            with f.loop(*self._span(columns, group), 1, self._zeros) as x:
                at = f.gep(weights, f.mul(x.index, columns.by_pixel), self.scalar)
                factor = f.load(at, vector_of(self.scalar, self.lanes))
                heavy = f.fcmp("une", factor, self._zeros[0])
                seen = [
                    f.splat(f.load(self._strip(n, x.index), self.scalar), self.lanes) for n in range(_ABREAST)
                ]
                x.next(*self._sums(heavy, seen, factor, x.carried))
            mask = f.tail_mask(f.sub(self.across.cells, column.index), self.lanes)
            for n, total in enumerate(x.carried):
                with f.when(f.icmp("slt", int_(n), left)):
                    to = f.add(f.add(first, column.index), f.mul(cells, int_(n)))
                    self.x.store_lanes(total, y, to, mask)

    def _sums(self, heavy: V, seen: list[V], factor: V, totals: list[V]) -> list[V]:
        f = self.f
        return [
            f.select(heavy, f.fma(v, factor, total), total) for v, total in zip(seen, totals, strict=True)
        ]

    def _strip(self, n: int, x: V) -> V:
        return self.f.gep(self.strips, self.f.add(self.f.mul(self.strip_pitch, int_(n)), x), self.scalar)
