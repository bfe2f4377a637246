"""Kernels that read along one axis and write along another: squares and short rows turned in registers.

The kernel's `cross` axis is the one along which some accesses are contiguous; lanes run along `vector`.
Squares: both are outer axes, and blocks of lanes x lanes elements are transposed. Short rows: `cross` is a
small axis of the statements, written out point by point, and whole rows are taken apart or woven together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.emit.window import WindowEmitter
from sardonyx.llvm import convert
from sardonyx.llvm.shuffle import deinterleave, interleave, transpose
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.cost import expr_cost
from sardonyx.loops.nest import Affine, Axis, Buffer, Load, Reduce, Statement, Store, roots, walk

_UNROLLED_COST = 8
"""The most instructions of an expression that is written out for each column of a square."""


class TileEmitter(WindowEmitter):
    """Emits squares and short rows."""

    scratch_bytes: Dim = 0

    def _is_crossing(self, at: Affine) -> bool:
        """Whether an access runs along the cross axis."""
        cross, vector = self.kernel.cross, self.vector
        return (
            cross is not None
            and vector is not None
            and at.factor(cross) == 1
            and at.factor(vector) not in (0, 1)
        )

    def _crossing_loads(self) -> list[Load]:
        found = walk(e for s in self.kernel.body for e in roots(s))
        return [e for e in found if isinstance(e, Load) and not e.picks and self._is_crossing(e.at)]

    # ---- squares

    def squares(self, low: V, high: V) -> None:
        """All squares between two indices of the cross axis."""
        cross, vector = self.kernel.cross, self.vector
        assert cross is not None
        assert vector is not None
        f, lanes = self.f, self.lanes
        width = self.words.extent(vector)
        self._scratch = f.word(f.params[1], Context.SCRATCH, "ptr")
        with f.loop(low, high, lanes) as column, self.scope():
            self.enter(cross, column.index)
            with f.loop(int_(0), width, lanes) as row, self.scope():
                self.enter(vector, row.index)
                self._square(
                    None if _divides(lanes, cross) else f.sub(high, column.index),
                    None if _divides(lanes, vector) else f.sub(width, row.index),
                )

    def _square(self, columns: V | None, rows: V | None) -> None:
        """One square of which so many columns (of the cross axis) and rows are left; None for enough."""
        f, lanes = self.f, int_(self.lanes)
        if expr_cost(e for s in self.kernel.body for e in roots(s)) > _UNROLLED_COST:
            self._square_in_memory(columns, rows)
            return
        counts = [n for n in (columns, rows) if n is not None]
        if not counts:
            self._square_in_registers()
            return
        least = counts[0] if len(counts) == 1 else f.smin(counts[0], counts[1])
        whole, part, done = f.new_label("whole"), f.new_label("part"), f.new_label("done")
        f.branch(f.icmp("sge", least, lanes), whole, part)
        f.start(whole)
        with self.scope():
            self._square_in_registers()
        f.jump(done)
        f.start(part)
        with self.scope():
            self._square_in_memory(columns, rows)
        f.jump(done)
        f.start(done)

    def _square_in_registers(self) -> None:
        cross, f = self.kernel.cross, self.f
        assert cross is not None
        known: list[dict[int, V]] = [{} for _ in range(self.lanes)]
        for load in self._crossing_loads():
            memory = convert.memory_type(load.dtype)
            rows = [self.load_lanes(p, memory, None) for p in self._rows(load.buffer, load.at)]
            for values, column in zip(known, transpose(f, rows), strict=True):
                values[id(load)] = convert.from_memory(f, column, load.dtype)
        self.hoist(self.kernel.body, {cross})
        results: dict[int, list[V]] = {}
        for number, values in enumerate(known):
            with self.scope(values):
                self.enter(cross, int_(number), keep=True)
                for s in self.kernel.body:
                    assert isinstance(s, Store)
                    if self._is_crossing(s.at):
                        results.setdefault(id(s), []).append(self._stored(s))
                    else:
                        self.store(s)
        for s in self.kernel.body:
            if id(s) in results:
                assert isinstance(s, Store)
                places = self._rows(s.buffer, s.at)
                for row, place in zip(transpose(f, results[id(s)]), places, strict=True):
                    self.store_lanes(row, place, None)

    def _rows(self, buffer: Buffer, at: Affine) -> list[V]:
        """The addresses of a square's rows."""
        assert self.vector is not None
        memory = convert.memory_type(buffer.dtype)
        pitch = self.words.stride(self.vector, at.factor(self.vector))
        places = [self.pointer(buffer, at)]
        for _ in range(1, self.lanes):
            places.append(self.f.gep(places[-1], pitch, memory))
        return places

    def _stored(self, statement: Store) -> V:
        value = self.widen(self.value(statement.expr))
        return convert.to_memory(self.f, value, statement.buffer.dtype, self.target)

    def _square_in_memory(self, columns: V | None, rows: V | None) -> None:
        """A square that may be cut off: rows go through scratch memory, and expressions are written once."""
        cross, f = self.kernel.cross, self.f
        assert cross is not None
        column_count, column_mask = self._cut(columns)
        row_count, row_mask = self._cut(rows)
        self._regions = 0
        places: dict[int, tuple[V, str]] = {}
        for load in self._crossing_loads():
            region, memory = self._region(load.dtype)
            with self._each_row(load.buffer, load.at, row_count) as (place, number):
                row = self.load_lanes(place, memory, column_mask)
                f.store(row, f.gep(region, f.mul(number, int_(self.lanes)), memory))
            self._turn(region, memory)
            places[id(load)] = region, memory
        self.mask = row_mask
        self.hoist(self.kernel.body, {cross})
        results: dict[int, tuple[V, str]] = {}
        for s in self.kernel.body:
            assert isinstance(s, Store)
            if self._is_crossing(s.at):
                results[id(s)] = self._region(s.buffer.dtype)
        with f.loop(int_(0), column_count) as column, self.scope():
            self.enter(cross, column.index, keep=True)
            offset = f.mul(column.index, int_(self.lanes))
            for load in self._crossing_loads():
                region, memory = places[id(load)]
                raw = self.load_lanes(f.gep(region, offset, memory), memory, None)
                self.values[-1][id(load)] = convert.from_memory(f, raw, load.dtype)
            for s in self.kernel.body:
                assert isinstance(s, Store)
                if id(s) in results:
                    region, memory = results[id(s)]
                    f.store(self._stored(s), f.gep(region, offset, memory))
                else:
                    self.store(s)
        self.mask = None
        for s in self.kernel.body:
            if id(s) in results:
                assert isinstance(s, Store)
                region, memory = results[id(s)]
                self._turn(region, memory)
                with self._each_row(s.buffer, s.at, row_count) as (place, number):
                    row = self.load_lanes(
                        f.gep(region, f.mul(number, int_(self.lanes)), memory), memory, None
                    )
                    self.store_lanes(row, place, column_mask)

    def _cut(self, rest: V | None) -> tuple[V, V | None]:
        """(how many, the mask of so many lanes)."""
        if rest is None:
            return int_(self.lanes), None
        return self.f.smin(rest, int_(self.lanes)), self.f.tail_mask(rest, self.lanes)

    def _region(self, dtype: DType) -> tuple[V, str]:
        """Scratch memory for one square, and the type of its elements."""
        size = self.lanes * self.lanes * dtype.size_bytes
        place = self.f.gep(self._scratch, int_(self._regions), "i8")
        self._regions += size
        self.scratch_bytes = dims.maximum(self.scratch_bytes, self._regions)
        return place, convert.memory_type(dtype)

    @contextmanager
    def _each_row(self, buffer: Buffer, at: Affine, count: V) -> Iterator[tuple[V, V]]:
        """A loop over (address, number) of a square's rows."""
        assert self.vector is not None
        memory = convert.memory_type(buffer.dtype)
        pitch = self.words.stride(self.vector, at.factor(self.vector))
        base = self.pointer(buffer, at)
        with self.f.loop(int_(0), count) as loop:
            yield self.f.gep(base, self.f.mul(loop.index, pitch), memory), loop.index

    def _turn(self, region: V, memory: str) -> None:
        """Transpose a square in scratch memory."""
        places = [self.f.gep(region, int_(n * self.lanes), memory) for n in range(self.lanes)]
        rows = transpose(self.f, [self.load_lanes(p, memory, None) for p in places])
        for row, place in zip(rows, places, strict=True):
            self.f.store(row, place)

    # ---- short rows

    def short_rows(self) -> None:
        """All statements for one vector of rows, row by row along the cross axis."""
        cross = self.kernel.cross
        assert cross is not None
        count = int(cross.extent)  # type: ignore[arg-type]
        known: list[dict[int, V]] = [{} for _ in range(count)]
        for load in self._crossing_loads():
            for values, part in zip(known, self._load_rows(load, count), strict=True):
                values[id(load)] = convert.from_memory(self.f, part, load.dtype)
        for s in self.kernel.body:
            if isinstance(s, Reduce):
                self.begin_reductions([s])
            self.hoist([s], s.axes)
            parts = self._each_point(s, known if s.axes else [{}])
            if isinstance(s, Store) and parts:
                self._store_rows(s, parts)

    def _each_point(self, s: Statement, known: Sequence[dict[int, V]]) -> list[V]:
        """Run a statement at every point of a row; results of a store to whole rows are only returned."""
        parts = []
        for number, values in enumerate(known):
            with self.scope(values):
                for axis in s.axes:
                    self.enter(axis, int_(number))
                if isinstance(s, Reduce):
                    self.accumulate(s)
                elif s.axes and self._is_crossing(s.at):
                    parts.append(self._stored(s))
                else:
                    self.store(s)
        return parts

    def _weaves(self, at: Affine, count: int) -> bool:
        """Whether rows are dense and of a size for which interleaving whole vectors is best."""
        assert self.vector is not None
        return at.factor(self.vector) == count and count in (1, 2, 3, 4, 8) and count < self.lanes

    def _load_rows(self, load: Load, count: int) -> list[V]:
        """For each point of a row the vector over all rows."""
        memory = convert.memory_type(load.dtype)
        if self._weaves(load.at, count):
            places = self._pieces(load.buffer, load.at, count)
            return deinterleave(self.f, [self.load_lanes(p, memory, mask) for p, mask in places])
        parts = []
        for first in range(0, count, self.lanes):
            places = self._row_pieces(load.buffer, load.at, first, count - first)
            parts += transpose(self.f, [self.load_lanes(p, memory, mask) for p, mask in places])
        return parts[:count]

    def _store_rows(self, s: Store, parts: Sequence[V]) -> None:
        count = len(parts)
        if self._weaves(s.at, count):
            places = self._pieces(s.buffer, s.at, count)
            for vector, (place, mask) in zip(interleave(self.f, parts), places, strict=True):
                self.store_lanes(vector, place, mask)
            return
        nothing = V("poison", parts[0].type)
        for first in range(0, count, self.lanes):
            square = [*parts[first : first + self.lanes], *[nothing] * (self.lanes - count + first)]
            places = self._row_pieces(s.buffer, s.at, first, count - first)
            for row, (place, mask) in zip(transpose(self.f, square), places, strict=True):
                self.store_lanes(row, place, mask)

    def _row_pieces(self, buffer: Buffer, at: Affine, first: int, count: int) -> list[tuple[V, V | None]]:
        """Addresses and masks of `count` elements from number `first` on, at most a vector, of every row."""
        f, memory = self.f, convert.memory_type(buffer.dtype)
        whole = count >= self.lanes
        inside = None if whole else f.tail_mask(int_(count), self.lanes)
        places: list[tuple[V, V | None]] = []
        for number, row in enumerate(self._rows(buffer, at)):
            mask = inside
            if self.remaining is not None:
                exists = f.splat(f.icmp("sgt", self.remaining, int_(number)), self.lanes)
                mask = exists if inside is None else f.binary("and", exists, inside)
            places.append((f.gep(row, int_(first), memory), mask))
        return places

    def _pieces(self, buffer: Buffer, at: Affine, count: int) -> list[tuple[V, V | None]]:
        """Addresses and masks of the vectors that dense rows fill."""
        f, base, memory = self.f, self.pointer(buffer, at), convert.memory_type(buffer.dtype)
        places: list[tuple[V, V | None]] = []
        for number in range(count):
            skipped = number * self.lanes
            mask = None
            if self.remaining is not None:
                left = f.sub(f.mul(self.remaining, int_(count)), int_(skipped))
                mask = f.tail_mask(left, self.lanes)
            places.append((f.gep(base, int_(skipped), memory), mask))
        return places


def _divides(lanes: int, axis: Axis) -> bool:
    return isinstance(axis.extent, int) and axis.extent % lanes == 0
