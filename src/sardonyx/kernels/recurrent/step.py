"""One step of a recurrence for some rows and units: register sums, then the cells.

Decides the order of panels and rows within a step; must not know threads.
"""

from __future__ import annotations

from sardonyx.base.policy import Goal
from sardonyx.kernels.recurrent.cell import Cell
from sardonyx.kernels.recurrent.layer import Layer, Memory, Word
from sardonyx.kernels.recurrent.matrix import Registers
from sardonyx.kernels.recurrent.quantise import Points
from sardonyx.kernels.recurrent.sums import UNROLL, define_sums
from sardonyx.kernels.share import Cut, ceil_div
from sardonyx.kernels.tiles.microkernel import prefetch
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.products import add_products
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_


class Step:
    """Writes one phase of a step: `void @name(args, scratch, d, step, row0, row1, group0, group1)`."""

    def __init__(self, module: Module, layer: Layer, goal: Goal, phase: int) -> None:
        names = ("d", "step", "row0", "row1", "group0", "group1")
        params = [("args", "ptr"), ("scratch", "ptr"), *((n, "i64") for n in names)]
        name = f"{layer.symbol}_phase{phase}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.module, self.layer, self.target, self.phase = module, layer, goal.target, phase
        self.panel = layer.panels(goal)[phase]
        self.first_gate = sum(p.gates for p in layer.panels(goal)[:phase])
        args, scratch, self.d, self.step, self.row0, self.row1, self.group0, self.group1 = self.f.params
        self.memory = Memory(self.f, layer, goal, args)
        self.points = Points(self.memory, scratch) if layer.quantised else None
        tile = goal.find_matrix("f32") if layer.matrix else None
        self.registers = Registers(module, self.panel, self.memory, scratch, tile) if tile else None
        self.cell = Cell(layer.activations, layer.clip, goal.target)

    def write(self) -> None:
        """Add the function to its module."""
        f, memory, panel = self.f, self.memory, self.panel
        odd = f.binary("and", self.step, int_(1))
        self.old, self.new = odd, f.sub(int_(1), odd)
        backward = f.binary("and", f.binary("lshr", memory.word[Word.BACKWARD], self.d), int_(1))
        self.backward = f.icmp("ne", backward, int_(0))
        if self.registers:
            self._write_registers(self.registers, odd)
            return
        inner = f.mul(ceil_div(f, memory.word[Word.UNITS], int_(UNROLL * panel.depth)), int_(UNROLL))
        first = self._weights(panel.dtype)
        panel_bytes = f.mul(inner, int_(panel.weight_bytes))
        row_bytes = f.mul(memory.pitch, int_(size_of(self.layer.compute)))
        row_bytes = self.points.row_bytes if self.points else row_bytes
        tile = f.alloca(panel.dtype, panel.max_rows * panel.vectors * panel.lanes)
        rows = f.sub(self.row1, self.row0)
        cut = Cut.of(f, rows, f.smax(ceil_div(f, rows, int_(panel.max_rows)), int_(1)))
        larger, smaller = self._pick(cut.largest(f)), self._pick(cut.base)
        tiles = f.select(f.icmp("sgt", rows, int_(0)), cut.parts, int_(0))
        with f.loop(self.group0, self.group1) as turn, f.loop(int_(0), tiles) as part:
            group = self._group(turn.index, odd)
            weights_at = f.gep(first, f.mul(group, panel_bytes), "i8")
            begin, size = f.add(self.row0, cut.begin(f, part.index)), cut.size(f, part.index)
            state = self._state(begin)
            sums = f.select(f.icmp("eq", size, cut.base), smaller, larger)
            with f.loop(int_(0), size) as row:
                self._fetch(group, f.add(begin, row.index))
            f.call_pointer(sums, state, row_bytes, weights_at, inner, tile)
            if panel.instruction.widen:
                self._add_rest(state, row_bytes, group, tile, size)
            with f.loop(int_(0), size) as row:
                self._row(
                    group,
                    f.add(begin, row.index),
                    f.gep(tile, f.mul(row.index, int_(panel.row_bytes)), "i8"),
                )
        f.ret()
        f.finish()

    def _write_registers(self, registers: Registers, odd: V) -> None:
        """The function on matrix registers."""
        f, panel = self.f, self.panel
        first = self._weights("i32")
        group_bytes = registers.group_bytes()
        tile = f.alloca(panel.dtype, registers.rows * panel.vectors * panel.lanes)
        with f.loop(self.group0, self.group1) as turn:
            group = self._group(turn.index, odd)
            weights_at = f.gep(first, f.mul(group, group_bytes), "i8")
            with f.loop(self.row0, self.row1, registers.rows) as part:
                rows = f.smin(f.sub(self.row1, part.index), int_(registers.rows))
                with f.loop(int_(0), rows) as row:
                    self._fetch(group, f.add(part.index, row.index))
                registers.sum(f.sub(part.index, self.row0), rows, weights_at, tile)
                with f.loop(int_(0), rows) as row:
                    sums = f.gep(tile, f.mul(row.index, int_(panel.row_bytes)), "i8")
                    self._row(group, f.add(part.index, row.index), sums)
        f.ret()
        f.finish()

    def _weights(self, dtype: str) -> V:
        """Where those of the direction begin, of that type."""
        f, word, weights = self.f, self.memory.word, self.layer.weights[self.phase]
        return f.gep(word[weights], f.mul(self.d, word[Word(weights + 1)]), dtype)

    def _add_rest(self, state: V, row_bytes: V, group: V, tile: V, size: V) -> None:
        """Add the products of what was too much of some rows of a group's weights."""
        f, panel, word = self.f, self.panel, self.memory.word
        rests = f.gep(word[Word.RESTS], f.mul(self.d, word[Word.RESTS_D]), "i32")
        place = f.gep(rests, f.mul(group, int_(2)), "i32")
        begin, count = (
            f.convert("sext", f.load(f.gep(place, int_(n), "i32"), "i32"), "i64") for n in range(2)
        )
        with f.loop(int_(0), count, 1, [f.gep(rests, begin, "i32")]) as turn:
            (rest,) = turn.carried
            step = f.convert("sext", f.load(rest, "i32"), "i64")
            weights = f.gep(rest, int_(1), "i32")
            with f.loop(int_(0), size, 1, [f.gep(state, step, "i32"), tile]) as row:
                points, sums = row.carried
                h = f.splat(f.load(points, panel.dtype), panel.lanes)
                for at in range(0, panel.row_bytes, panel.vector_bytes):
                    column, to = (f.gep(first, int_(at), "i8") for first in (weights, sums))
                    column = f.load(column, panel.vector)
                    total = f.load(to, panel.vector, panel.vector_bytes)
                    total = add_products(f, total, h, column, panel.instruction)
                    f.store(total, to, panel.vector_bytes)
                row.next(f.gep(points, row_bytes, "i8"), f.gep(sums, int_(panel.row_bytes), "i8"))
            turn.next(f.gep(weights, int_(panel.row_bytes), "i8"))

    def _state(self, row: V) -> V:
        """Where the state of a row is that the weights multiply."""
        if self.points:
            return self.points.row(row)
        return self.memory.state(int_(3) if self.phase else self.old, self.d, row)

    def _group(self, turn: V, odd: V) -> V:
        """Odd steps go backwards, so that they meet the weights that are still in the cache."""
        f = self.f
        last = f.sub(f.add(self.group0, self.group1), int_(1))
        return f.select(f.icmp("ne", odd, int_(0)), f.sub(last, turn), turn)

    def _pick(self, rows: V) -> V:
        """The register tile with that many rows."""
        picked = V("null", "ptr")
        for count in range(1, self.panel.max_rows + 1):
            sums = define_sums(self.module, self.panel, count)
            picked = self.f.select(self.f.icmp("eq", rows, int_(count)), sums, picked)
        return picked

    def _fetch(self, group: V, row: V) -> None:
        """Ask for what the cells of one row and one panel read: it lies strides apart."""
        f, memory, panel = self.f, self.memory, self.panel
        at, _ = self._place(row)
        gates = memory.at(Word.GATES, (at, Word.GATES_T), (row, Word.GATES_B), (self.d, Word.GATES_D))
        first = f.mul(group, int_(panel.units * panel.lanes))
        last = f.sub(f.sub(memory.blocks, f.mul(group, int_(panel.units))), int_(1))
        for gate in range(panel.gates):
            column = f.add(first, f.mul(memory.word[Word.UNITS], int_(gate + self.first_gate)))
            for unit in range(panel.units):
                beside = f.smin(int_(unit), last)
                prefetch(f, f.gep(gates, f.add(column, f.mul(beside, int_(panel.lanes))), memory.element), 1)

    def _row(self, group: V, row: V, sums: V) -> None:
        """The cells of one row and one panel."""
        f, memory, panel = self.f, self.memory, self.panel
        at, alive = self._place(row)
        first = f.mul(group, int_(panel.units))
        with f.loop(int_(0), f.smin(int_(panel.units), f.sub(memory.blocks, first))) as unit:
            column = f.mul(f.add(first, unit.index), int_(memory.lanes))
            here = f.gep(sums, f.mul(unit.index, int_(panel.gates * panel.vector_bytes)), "i8")
            _CellWriter(self, row, at, alive, column, here).write()

    def columns(self, column: V, gate: int) -> V:
        """Where the sums, zero points and scales of the columns of a gate of some units are."""
        f, word = self.f, self.memory.word
        vectors = f.add(f.mul(column, int_(3 * self.panel.gates)), int_(3 * gate * self.panel.lanes))
        return f.gep(word[Word.COLUMNS], f.add(f.mul(self.d, word[Word.COLUMNS_D]), vectors), "i32")

    def _place(self, row: V) -> tuple[V, V | None]:
        """Where in time a row is, and whether it has not ended; ended rows are at the step itself."""
        f, word = self.f, self.memory.word
        if not self.layer.ragged:
            behind = f.sub(f.sub(word[Word.STEPS], int_(1)), self.step)
            return f.select(self.backward, behind, self.step), None
        length = f.load(f.gep(word[Word.LENS], f.mul(row, word[Word.LENS_B]), "i32"), "i32")
        size = f.smin(f.convert("sext", length, "i64"), word[Word.STEPS])
        alive = f.icmp("slt", self.step, size)
        behind = f.sub(f.sub(size, int_(1)), self.step)
        return f.select(f.binary("and", alive, self.backward), behind, self.step), alive


class _CellWriter:
    """Writes the cell of one vector of units of one row."""

    def __init__(self, step: Step, row: V, at: V, alive: V | None, column: V, sums: V) -> None:
        self.f, self.layer, self.cell, self.memory = step.f, step.layer, step.cell, step.memory
        self.step, self.row, self.at, self.alive, self.column, self.sums = step, row, at, alive, column, sums
        self.mask = self.memory.mask(column)
        d, memory = step.d, self.memory
        self.gates = memory.at(Word.GATES, (at, Word.GATES_T), (row, Word.GATES_B), (d, Word.GATES_D))
        self.h_old, self.h_new = (memory.state(slab, d, row) for slab in (step.old, step.new))

    def write(self) -> None:
        """One step of the layer's kind."""
        {"lstm": self._lstm, "gru": self._gru, "rnn": self._rnn}.get(self.layer.kind, self._gru_reset)()

    def _gate(self, number: int) -> Lanes:
        """The input's part of a gate."""
        column = self.f.add(self.f.mul(self.memory.word[Word.UNITS], int_(number)), self.column)
        return self.memory.load(self.gates, column, self.mask)

    def _sum(self, number: int) -> Lanes:
        """The state's part of a gate of this phase."""
        f, panel = self.f, self.step.panel
        at = f.gep(self.sums, int_(number * panel.vector_bytes), "i8")
        total = Lanes(f, f.load(at, panel.vector, panel.vector_bytes))
        return self._scaled(total, number) if self.step.points else total

    def _scaled(self, total: Lanes, number: int) -> Lanes:
        """(points - origin) . (weights - zero) * both step sizes, from the product of points and weights."""
        f, points, lanes = self.f, self.step.points, self.memory.lanes
        assert points is not None
        constants = self.step.columns(self.column, number)
        sums, zero, scale = (
            Lanes(f, f.load(f.gep(constants, int_(n * lanes), "i32"), total.v.type)) for n in range(3)
        )
        row_sum = Lanes(f, f.splat(f.load(points.sum_at(self.row), "i32"), lanes))
        origin = Lanes(f, f.splat(f.load(points.origin_at(), "i32"), lanes))
        size = Lanes(f, f.splat(f.load(points.scratch, "float"), lanes))
        whole = total - zero * row_sum - origin * sums
        return whole.convert("sitofp", "float") * (size * scale.bits("float"))

    def _extra(self, number: int) -> Lanes:
        """Peephole weights, or the inner bias."""
        column = self.f.add(self.f.mul(self.memory.word[Word.UNITS], int_(number)), self.column)
        return self.memory.load(self.memory.at(Word.EXTRA, (self.step.d, Word.EXTRA_D)), column, self.mask)

    def _old(self, row: V) -> Lanes:
        return self.memory.load_state(row, self.column)

    def _lstm(self) -> None:
        gates = [self._gate(n) + self._sum(n) for n in range(4)]
        c_row = self.memory.state(int_(2), self.step.d, self.row)
        c = self._old(c_row)
        peepholes = [self._extra(n) for n in range(3)] if self.layer.extra else []
        h, fresh = self.cell.lstm(gates, c, peepholes, input_forget=self.layer.input_forget)
        self.memory.store_state(self._kept(fresh, c), c_row, self.column, self.mask)
        self._finish(h)

    def _gru(self) -> None:
        inner = self._sum(2) + self._extra(0) if self.layer.extra else self._sum(2)
        gates = [self._gate(0) + self._sum(0), self._gate(1) + self._sum(1), self._gate(2)]
        self._finish(self.cell.gru(gates, inner, self._old(self.h_old)))

    def _gru_reset(self) -> None:
        z_row, reset_row = (self.memory.state(int_(slab), self.step.d, self.row) for slab in (2, 3))
        h = self._old(self.h_old)
        if self.step.phase:
            self._finish(self.cell.blend(self._old(z_row), self._gate(2) + self._sum(0), h))
            return
        z, reset = self.cell.reset(self._gate(0) + self._sum(0), self._gate(1) + self._sum(1), h)
        self.memory.store_state(z, z_row, self.column, self.mask)
        self.memory.store_state(reset, reset_row, self.column, self.mask)

    def _rnn(self) -> None:
        self._finish(self.cell.gate(0, self._gate(0) + self._sum(0)))

    def _kept(self, fresh: Lanes, old: Lanes) -> Lanes:
        """The new state, or the old one of a row that has ended."""
        if self.alive is None:
            return fresh
        return Lanes(self.f, self.f.select(self.alive, fresh.v, old.v))

    def _finish(self, h: Lanes) -> None:
        """Store h as state and as output; rows that have ended put out 0."""
        f, memory = self.f, self.memory
        memory.store_state(self._kept(h, self._old(self.h_old)), self.h_new, self.column, self.mask)
        with f.when(f.icmp("ne", memory.word[Word.Y], V("null", "ptr"))):
            y = memory.at(Word.Y, (self.at, Word.Y_T), (self.step.d, Word.Y_D), (self.row, Word.Y_B))
            memory.store(self._kept(h, h.like(0.0)), y, self.column, self.mask)
