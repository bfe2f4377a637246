"""Kernels that read along one axis and write along another: squares and short rows turned in registers.

The kernel's `cross` axis is the one along which some accesses are contiguous; lanes run along `vector`.
Squares: both are outer axes, and blocks of lanes x lanes elements are transposed. Short rows: `cross` is a
small axis of the statements, written out point by point, and whole rows are taken apart or woven together.
What is turned through memory is turned by a function that all kernels share.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.emit.access import to_round
from sardonyx.emit.turn import Turn
from sardonyx.emit.window import WindowEmitter
from sardonyx.llvm import convert
from sardonyx.llvm.shuffle import deinterleave, interleave, transpose
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.cost import WOVEN, is_long
from sardonyx.loops.nest import Affine, Buffer, Load, Reduce, Statement, Store


class TileEmitter(WindowEmitter):
    """Emits squares and short rows; `turns` are the shared functions that they call."""

    region_bytes = 0
    turns: frozenset[Turn] = frozenset()

    def _is_crossing(self, at: Affine) -> bool:
        """Whether an access runs along the cross axis."""
        cross, vector = self.kernel.cross, self.vector
        return (
            cross is not None
            and vector is not None
            and self.words.step(at, cross).known == 1
            and self.words.step(at, vector).known not in (0, 1)
        )

    def _crossing_loads(self) -> list[Load]:
        found = dict.fromkeys(e for s in self.kernel.body for e in s.exprs)
        return [e for e in found if isinstance(e, Load) and not e.picks and self._is_crossing(e.at)]

    # ---- what a shared function turns

    def _turn(self, memory: str, source: V, source_pitch: V, to: V, to_pitch: V, rows: V, columns: V) -> None:
        """to[column][row] = source[row][column]; pitches in elements."""
        turn = Turn.of(memory, self.lanes)
        self.turns |= {turn}
        self.f.call(turn.symbol, "void", source, source_pitch, to, to_pitch, rows, columns)

    def _region(self, memory: str, rows: int) -> V:
        """Scratch memory for so many vectors."""
        scratch = self.f.word(self.f.params[1], Context.SCRATCH, "ptr")
        place = self.f.gep(scratch, int_(self._regions), "i8")
        self._regions += rows * self.lanes * size_of(memory)
        self.region_bytes = max(self.region_bytes, self._regions)
        return place

    def _load_turned(self, load: Load, region: V, rows: V, columns: V) -> None:
        """Bring the columns of a square to scratch memory."""
        memory = convert.memory_type(load.dtype)
        source, pitch = self.pointer(load.buffer, load.at), self.words.step(load.at, self.vector)
        self._turn(memory, source, pitch, region, int_(self.lanes), rows, columns)

    def _store_turned(self, s: Store, region: V, rows: V, columns: V) -> None:
        """Store the columns of a square, which are in scratch memory."""
        memory = convert.memory_type(s.buffer.dtype)
        to, pitch = self.pointer(s.buffer, s.at), self.words.step(s.at, self.vector)
        self._turn(memory, region, int_(self.lanes), to, pitch, columns, rows)

    # ---- squares

    def squares(self, low: V, high: V) -> None:
        """All squares between two indices of the cross axis."""
        cross, vector = self.kernel.cross, self.vector
        assert cross is not None
        assert vector is not None
        f, lanes = self.f, self.lanes
        width = self.words.extent(vector)
        with f.loop(low, high, lanes) as column, self.scope():
            self.enter(cross, column.index)
            with f.loop(int_(0), width, lanes) as row, self.scope():
                self.enter(vector, row.index)
                self._square(
                    None if self.extents.leaves(cross, lanes) is False else f.sub(high, column.index),
                    None if self.extents.leaves(vector, lanes) is False else f.sub(width, row.index),
                )

    def _square(self, columns: V | None, rows: V | None) -> None:
        """One square of which so many columns (of the cross axis) and rows are left; None for enough."""
        f, lanes = self.f, int_(self.lanes)
        if is_long(self.kernel.body):
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
        memory = convert.memory_type(buffer.dtype)
        pitch = self.words.step(at, self.vector)
        places = [self.pointer(buffer, at)]
        for _ in range(1, self.lanes):
            places.append(self.f.gep(places[-1], pitch, memory))
        return places

    def _stored(self, statement: Store) -> V:
        value = self.widen(self.value(to_round(statement)))
        return convert.to_memory(self.f, value, statement.buffer.dtype, self.target)

    def _square_in_memory(self, columns: V | None, rows: V | None) -> None:
        """A square that may be cut off: rows go through scratch memory, and expressions are written once."""
        cross, f = self.kernel.cross, self.f
        assert cross is not None
        column_count, row_count = self._cut(columns), self._cut(rows)
        self._regions = 0
        places: dict[int, tuple[V, str]] = {}
        for load in self._crossing_loads():
            memory = convert.memory_type(load.dtype)
            places[id(load)] = self._region(memory, self.lanes), memory
            self._load_turned(load, places[id(load)][0], row_count, column_count)
        self.mask = None if rows is None else f.tail_mask(rows, self.lanes)
        self.hoist(self.kernel.body, {cross})
        results: dict[int, V] = {}
        for s in self.kernel.body:
            assert isinstance(s, Store)
            if self._is_crossing(s.at):
                results[id(s)] = self._region(convert.memory_type(s.buffer.dtype), self.lanes)
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
                    memory = convert.memory_type(s.buffer.dtype)
                    f.store(self._stored(s), f.gep(results[id(s)], offset, memory))
                else:
                    self.store(s)
        self.mask = None
        for s in self.kernel.body:
            if id(s) in results:
                assert isinstance(s, Store)
                self._store_turned(s, results[id(s)], row_count, column_count)

    def _cut(self, rest: V | None) -> V:
        """How many rows or columns a square has."""
        return int_(self.lanes) if rest is None else self.f.smin(rest, int_(self.lanes))

    # ---- short rows

    def short_rows(self) -> None:
        """All statements for one vector of rows, row by row along the cross axis."""
        cross = self.kernel.cross
        assert cross is not None
        count = self.written_out(cross)
        self._regions = 0
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
        return self.words.step(at, self.vector).known == count and count in WOVEN and count < self.lanes

    def _load_rows(self, load: Load, count: int) -> list[V]:
        """For each point of a row the vector over all rows."""
        memory = convert.memory_type(load.dtype)
        if self._weaves(load.at, count):
            places = self._pieces(load.buffer, load.at, count)
            return deinterleave(self.f, [self.load_lanes(p, memory, mask) for p, mask in places])
        if self.remaining is not None:
            region = self._region(memory, count)
            self._load_turned(load, region, self.remaining, int_(count))
            columns = (self.f.gep(region, int_(n * self.lanes), memory) for n in range(count))
            return [self.load_lanes(column, memory, None) for column in columns]
        parts = []
        for first in range(0, count, self.lanes):
            pieces, inside = self._row_pieces(load.buffer, load.at, first, count - first)
            parts += transpose(self.f, [self.load_lanes(piece, memory, inside) for piece in pieces])
        return parts[:count]

    def _store_rows(self, s: Store, parts: Sequence[V]) -> None:
        count = len(parts)
        if self._weaves(s.at, count):
            places = self._pieces(s.buffer, s.at, count)
            for vector, (place, mask) in zip(interleave(self.f, parts), places, strict=True):
                self.store_lanes(vector, place, mask)
            return
        if self.remaining is not None:
            memory = convert.memory_type(s.buffer.dtype)
            region = self._region(memory, count)
            for number, part in enumerate(parts):
                self.f.store(part, self.f.gep(region, int_(number * self.lanes), memory))
            self._store_turned(s, region, self.remaining, int_(count))
            return
        nothing = V("poison", parts[0].type)
        for first in range(0, count, self.lanes):
            square = [*parts[first : first + self.lanes], *[nothing] * (self.lanes - count + first)]
            pieces, inside = self._row_pieces(s.buffer, s.at, first, count - first)
            for row, piece in zip(transpose(self.f, square), pieces, strict=True):
                self.store_lanes(row, piece, inside)

    def _row_pieces(self, buffer: Buffer, at: Affine, first: int, count: int) -> tuple[list[V], V | None]:
        """Addresses and mask of `count` elements from number `first` on, at most a vector, of every row."""
        f, memory = self.f, convert.memory_type(buffer.dtype)
        inside = None if count >= self.lanes else f.tail_mask(int_(count), self.lanes)
        return [f.gep(row, int_(first), memory) for row in self._rows(buffer, at)], inside

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
