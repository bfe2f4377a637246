"""Recurrent layers: the argument words, the split between threads, the sweep over time.

Decides where states live and which thread computes which units; the inputs' product with their weights is not
part of it. Must not know ONNX.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.microkernel import prefetch
from sardonyx.kernels.recurrent_cell import Activation, Cell
from sardonyx.kernels.recurrent_sums import UNROLL, Panel, define_sums
from sardonyx.kernels.tiling import Cut, ceil_div, split
from sardonyx.llvm.convert import from_memory, memory_type, to_memory
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.layout import Context
from sardonyx.llvm.vec import Function, Module, V, int_, size_of, vector_of

_PART_MACS = 32_000
"""Multiplications of one step that are worth a thread of their own, and so a barrier."""


class Word(IntEnum):
    """Argument words; strides are in elements. Absent operands and results have address 0.

    GATES [T, B, D, gates * H] is the input's part of the gates, WEIGHTS (and INNER, of a GRU's hidden gate) are
    packed panels with a stride for the direction. EXTRA is peepholes [D, 3 H] or the inner bias [D, H].
    STATE is workspace of `slabs` times D * B * padded H elements: h of even and odd steps, then c, or z and r * h.
    Bit d of BACKWARD says that direction d runs from the end.
    """

    STEPS = 0
    BATCH = auto()
    UNITS = auto()
    DIRECTIONS = auto()
    BACKWARD = auto()
    STATE = auto()
    GATES = auto()
    GATES_T = auto()
    GATES_B = auto()
    GATES_D = auto()
    WEIGHTS = auto()
    WEIGHTS_D = auto()
    INNER = auto()
    INNER_D = auto()
    EXTRA = auto()
    EXTRA_D = auto()
    LENS = auto()
    LENS_B = auto()
    H = auto()
    H_D = auto()
    H_B = auto()
    H_U = auto()
    C = auto()
    C_D = auto()
    C_B = auto()
    C_U = auto()
    Y = auto()
    Y_T = auto()
    Y_D = auto()
    Y_B = auto()
    LAST_H = auto()
    LAST_H_D = auto()
    LAST_H_B = auto()
    LAST_C = auto()
    LAST_C_D = auto()
    LAST_C_B = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class Layer:
    """What a recurrence kernel is generated for.

    `kind` is lstm, gru, gru_reset (reset before the product) or rnn; `extra` tells of peepholes or an inner
    bias, `ragged` of sequence lengths.
    """

    kind: str
    dtype: DType
    activations: tuple[Activation, ...]
    clip: float | None = None
    extra: bool = False
    ragged: bool = False
    input_forget: bool = False

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        told = repr((self.activations, self.clip, self.extra, self.ragged, self.input_forget))
        return f"sdx_{self.kind}_{self.dtype.name}_{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    @property
    def compute(self) -> str:
        """The LLVM type of states and weights."""
        return "double" if self.dtype is dt.F64 else "float"

    @property
    def slabs(self) -> int:
        """States of the size of h that the workspace holds."""
        return {"lstm": 3, "gru": 2, "gru_reset": 4, "rnn": 2}[self.kind]

    def panels(self, target: Target) -> tuple[Panel, ...]:
        """The register tiles of the phases of a step: (block of units, gates)."""
        cuts = {"lstm": [(1, 4)], "gru": [(1, 3)], "gru_reset": [(2, 2), (4, 1)], "rnn": [(4, 1)]}[self.kind]
        return tuple(Panel.of(target, self.compute, units, gates) for units, gates in cuts)


def layer_ir(layer: Layer, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)` of a layer."""
    module = Module()
    phases = [_Step(module, layer, target, number) for number in range(len(layer.panels(target)))]
    for phase in phases:
        phase.write()
    _Driver(module, layer, target, [phase.f.name for phase in phases]).write()
    return module.text()


@dataclass(frozen=True, slots=True)
class _Share:
    """Rows and blocks of units of one direction that one thread computes; run-time bounds."""

    direction: V
    rows: tuple[V, V]
    parts: V
    part: V


class _Memory:
    """Words and addresses that the driver and the steps have in common."""

    def __init__(self, f: Function, layer: Layer, target: Target, args: V) -> None:
        self.f, self.layer, self.target = f, layer, target
        self.panel = layer.panels(target)[0]
        self.lanes = self.panel.lanes
        self.word = {
            w: f.word(args, w, "ptr" if w in _ADDRESSES else "i64") for w in Word if w is not Word.WORDS
        }
        self.element = memory_type(layer.dtype)
        self.blocks = ceil_div(f, self.word[Word.UNITS], int_(self.lanes))
        self.pitch = f.mul(self.blocks, int_(self.lanes))
        self.slab = f.mul(f.mul(self.word[Word.DIRECTIONS], self.word[Word.BATCH]), self.pitch)

    def state(self, slab: V, direction: V, row: V) -> V:
        """The address of a row of a workspace state."""
        f = self.f
        at = f.add(
            f.mul(slab, self.slab), f.mul(f.add(f.mul(direction, self.word[Word.BATCH]), row), self.pitch)
        )
        return f.gep(self.word[Word.STATE], at, self.layer.compute)

    def at(self, word: Word, *terms: tuple[V, Word]) -> V:
        """The address of an operand's row: its base plus index times stride for each term."""
        f = self.f
        offset = int_(0)
        for index, stride in terms:
            offset = f.add(offset, f.mul(index, self.word[stride]))
        return f.gep(self.word[word], offset, self.element)

    def mask(self, column: V) -> V:
        """The lanes of a block of units that exist."""
        return self.f.tail_mask(self.f.sub(self.word[Word.UNITS], column), self.lanes)

    def load(self, row: V, column: V, mask: V) -> Lanes:
        """A vector of an operand in compute type; zeros where the mask is off."""
        f = self.f
        if self.layer.dtype is dt.F16:
            raw = f.masked_load(f.gep(row, column, "i16"), vector_of("i16", self.lanes), mask)
            return Lanes(f, from_memory(f, f.bitcast(raw, vector_of("half", self.lanes)), dt.F16))
        raw = f.masked_load(f.gep(row, column, self.element), vector_of(self.element, self.lanes), mask)
        return Lanes(f, from_memory(f, raw, self.layer.dtype))

    def store(self, value: Lanes, row: V, column: V, mask: V) -> None:
        """Store the lanes of the mask in memory type."""
        f = self.f
        stored = to_memory(f, value.v, self.layer.dtype, self.target)
        scalar = self.element
        if self.layer.dtype is dt.F16:
            scalar = "i16"
            stored = f.bitcast(stored, vector_of("i16", self.lanes))
        f.masked_store(stored, f.gep(row, column, scalar), mask)

    def load_state(self, row: V, column: V) -> Lanes:
        """A vector of a workspace row."""
        return Lanes(self.f, self.f.load(self.f.gep(row, column, self.layer.compute), self.panel.vector))

    def store_state(self, value: Lanes, row: V, column: V, mask: V) -> None:
        """Store into a workspace row; lanes without a unit become 0."""
        f = self.f
        kept = f.select(mask, value.v, V("zeroinitializer", value.v.type))
        f.store(kept, f.gep(row, column, self.layer.compute))


_ADDRESSES = frozenset(
    Word[name]
    for name in ["STATE", "GATES", "WEIGHTS", "INNER", "EXTRA", "LENS", "H", "C", "Y", "LAST_H", "LAST_C"]
)


class _Driver:
    """Writes the kernel: shares, initial states, the sweep over time, final states."""

    def __init__(self, module: Module, layer: Layer, target: Target, steps: Sequence[str]) -> None:
        self.f = Function(module, layer.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.layer, self.target, self.steps = layer, target, steps
        self.args, self.ctx = self.f.params
        self.memory = _Memory(self.f, layer, target, self.args)

    def write(self) -> None:
        f, word = self.f, self.memory.word
        directions = word[Word.DIRECTIONS]
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        crew = f.smax(f.binary("udiv", threads, f.smax(directions, int_(1))), int_(1))
        enough = f.icmp("sle", directions, threads)
        first = f.select(enough, f.binary("udiv", tid, crew), int_(0))
        last = f.select(enough, f.smin(f.add(first, int_(1)), directions), directions)
        last = f.select(f.binary("or", enough, f.icmp("eq", tid, int_(0))), last, int_(0))
        member = f.binary("urem", tid, crew)
        tiles = ceil_div(f, word[Word.BATCH], int_(self.memory.panel.max_rows))
        by_rows = f.icmp("sge", tiles, crew)
        parts = f.select(by_rows, int_(1), self._parts(crew))
        meets = f.icmp("sgt", parts, int_(1))
        idle = f.binary("and", meets, f.icmp("sge", first, directions))
        low, high = split(f, word[Word.BATCH], member, crew)
        beyond = f.binary("or", idle, f.icmp("sge", member, parts))
        rows = (
            f.select(by_rows, low, int_(0)),
            f.select(by_rows, high, f.select(beyond, int_(0), word[Word.BATCH])),
        )
        first, last = f.select(idle, int_(0), first), f.select(idle, int_(1), last)
        part = f.select(by_rows, int_(0), f.select(beyond, int_(0), member))
        with f.loop(first, last) as loop:
            self._direction(_Share(loop.index, rows, parts, part), meets)
        f.ret()
        f.finish()

    def _parts(self, crew: V) -> V:
        """Into how many parts the units of a direction are cut; each part must be worth a barrier."""
        f, word = self.f, self.memory.word
        gates = sum(p.vectors // p.units for p in self.layer.panels(self.target))
        columns = f.mul(self.memory.pitch, int_(gates))
        macs = f.mul(f.mul(word[Word.BATCH], word[Word.UNITS]), columns)
        return f.smax(f.smin(crew, f.binary("udiv", macs, int_(_PART_MACS))), int_(1))

    def _direction(self, share: _Share, meets: V) -> None:
        f, word = self.f, self.memory.word
        groups = [self._groups(share, panel) for panel in self.layer.panels(self.target)]
        blocks = tuple(
            f.smin(f.mul(g, int_(self.layer.panels(self.target)[-1].units)), self.memory.blocks)
            for g in groups[-1]
        )
        self._rows(share, blocks, self._begin)
        self._meet(meets)
        with f.loop(int_(0), word[Word.STEPS]) as time:
            for step, (low, high) in zip(self.steps, groups, strict=True):
                f.call(step, "void", self.args, share.direction, time.index, *share.rows, low, high)
                self._meet(meets)
        self._rows(share, blocks, self._end)

    def _groups(self, share: _Share, panel: Panel) -> tuple[V, V]:
        """The panels of this thread's part."""
        f = self.f
        total = ceil_div(f, self.memory.blocks, int_(panel.units))
        return split(f, total, share.part, share.parts)

    def _meet(self, meets: V) -> None:
        with self.f.when(meets):
            self.f.call("sdx_barrier", "void", self.ctx)

    def _rows(self, share: _Share, blocks: tuple[V, V], body: Callable[[V, V, V], None]) -> None:
        f = self.f
        with f.loop(*share.rows) as row, f.loop(*blocks) as block:
            body(share.direction, row.index, f.mul(block.index, int_(self.memory.lanes)))

    def _begin(self, direction: V, row: V, column: V) -> None:
        """Copy a block of the initial states into the workspace."""
        memory = self.memory
        self._copy_in(Word.H, memory.state(int_(0), direction, row), direction, row, column)
        if self.layer.kind == "lstm":
            self._copy_in(Word.C, memory.state(int_(2), direction, row), direction, row, column)

    def _copy_in(self, word: Word, to: V, direction: V, row: V, column: V) -> None:
        f, memory = self.f, self.memory
        strides = [Word[f"{word.name}_{axis}"] for axis in "DBU"]
        count = f.smin(f.sub(memory.word[Word.UNITS], column), int_(memory.lanes))
        memory.store_state(
            Lanes(f, V("zeroinitializer", memory.panel.vector)), to, column, memory.mask(column)
        )
        with f.loop(int_(0), count) as lane:
            unit = f.add(column, lane.index)
            at = memory.at(word, *zip((direction, row, unit), strides, strict=True))
            value = from_memory(f, f.load(at, memory.element), self.layer.dtype)
            f.store(value, f.gep(to, unit, self.layer.compute))

    def _end(self, direction: V, row: V, column: V) -> None:
        """Copy a block of the last states to the results."""
        f, memory = self.f, self.memory
        mask = memory.mask(column)
        last = f.binary("and", memory.word[Word.STEPS], int_(1))
        results = [(Word.LAST_H, last)] + ([(Word.LAST_C, int_(2))] if self.layer.kind == "lstm" else [])
        for word, slab in results:
            with f.when(f.icmp("ne", memory.word[word], V("null", "ptr"))):
                strides = [Word[f"{word.name}_{axis}"] for axis in "DB"]
                value = memory.load_state(memory.state(slab, direction, row), column)
                memory.store(
                    value, memory.at(word, *zip((direction, row), strides, strict=True)), column, mask
                )


class _Step:
    """Writes one phase of a step: `void @name(args, direction, step, row0, row1, group0, group1)`."""

    def __init__(self, module: Module, layer: Layer, target: Target, phase: int) -> None:
        names = ("d", "step", "row0", "row1", "group0", "group1")
        params = [("args", "ptr"), *((n, "i64") for n in names)]
        name = f"{layer.symbol}_phase{phase}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.module, self.layer, self.target, self.phase = module, layer, target, phase
        self.panel = layer.panels(target)[phase]
        self.first_gate = sum(p.gates for p in layer.panels(target)[:phase])
        args, self.d, self.step, self.row0, self.row1, self.group0, self.group1 = self.f.params
        self.memory = _Memory(self.f, layer, target, args)
        self.cell = Cell(layer.activations, layer.clip, target)

    def write(self) -> None:
        f, memory, panel = self.f, self.memory, self.panel
        odd = f.binary("and", self.step, int_(1))
        self.old, self.new = odd, f.sub(int_(1), odd)
        backward = f.binary("and", f.binary("lshr", memory.word[Word.BACKWARD], self.d), int_(1))
        self.backward = f.icmp("ne", backward, int_(0))
        inner = f.mul(ceil_div(f, memory.word[Word.UNITS], int_(UNROLL)), int_(UNROLL))
        weights, stride = ((Word.WEIGHTS, Word.WEIGHTS_D), (Word.INNER, Word.INNER_D))[self.phase]
        first = f.gep(memory.word[weights], f.mul(self.d, memory.word[stride]), self.layer.compute)
        panel_bytes = f.mul(inner, int_(panel.row_bytes))
        source = int_(3) if self.phase else self.old
        row_bytes = f.mul(memory.pitch, int_(size_of(self.layer.compute)))
        tile = f.alloca(panel.dtype, panel.max_rows * panel.vectors * panel.lanes)
        rows = f.sub(self.row1, self.row0)
        cut = Cut.of(f, rows, f.smax(ceil_div(f, rows, int_(panel.max_rows)), int_(1)))
        larger, smaller = self._pick(cut.largest(f)), self._pick(cut.base)
        tiles = f.select(f.icmp("sgt", rows, int_(0)), cut.parts, int_(0))
        with f.loop(self.group0, self.group1) as turn, f.loop(int_(0), tiles) as part:
            group = self._group(turn.index, odd)
            weights_at = f.gep(first, f.mul(group, panel_bytes), "i8")
            begin, size = f.add(self.row0, cut.begin(f, part.index)), cut.size(f, part.index)
            state = memory.state(source, self.d, begin)
            sums = f.select(f.icmp("eq", size, cut.base), smaller, larger)
            with f.loop(int_(0), size) as row:
                self._fetch(group, f.add(begin, row.index))
            f.call_pointer(sums, state, row_bytes, weights_at, inner, tile)
            with f.loop(int_(0), size) as row:
                self._row(
                    group,
                    f.add(begin, row.index),
                    f.gep(tile, f.mul(row.index, int_(panel.row_bytes)), "i8"),
                )
        f.ret()
        f.finish()

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
        """Ask for what the cells of one row and one panel read: they are strides apart, and the sums take long."""
        f, memory, panel = self.f, self.memory, self.panel
        at, _ = self._place(row)
        gates = memory.at(Word.GATES, (at, Word.GATES_T), (row, Word.GATES_B), (self.d, Word.GATES_D))
        first = f.mul(group, int_(panel.units * panel.lanes))
        for gate in range(panel.gates):
            column = f.add(first, f.mul(memory.word[Word.UNITS], int_(gate + self.first_gate)))
            for unit in range(panel.units):
                prefetch(f, f.gep(gates, f.add(column, int_(unit * panel.lanes)), memory.element))

    def _row(self, group: V, row: V, sums: V) -> None:
        """The cells of one row and one panel."""
        f, memory, panel = self.f, self.memory, self.panel
        at, alive = self._place(row)
        first = f.mul(group, int_(panel.units))
        with f.loop(int_(0), f.smin(int_(panel.units), f.sub(memory.blocks, first))) as unit:
            column = f.mul(f.add(first, unit.index), int_(memory.lanes))
            here = f.gep(sums, f.mul(unit.index, int_(panel.gates * panel.vector_bytes)), "i8")
            _CellWriter(self, row, at, alive, column, here).write()

    def _place(self, row: V) -> tuple[V, V | None]:
        """Where in time a row is at this step, and whether it has not ended; ended rows are at the step itself."""
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

    def __init__(self, step: _Step, row: V, at: V, alive: V | None, column: V, sums: V) -> None:
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
        panel = self.step.panel
        at = self.f.gep(self.sums, int_(number * panel.vector_bytes), "i8")
        return Lanes(self.f, self.f.load(at, panel.vector, panel.vector_bytes))

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
        z, reset = self.cell.reset(*(self._gate(n) + self._sum(n) for n in range(2)), h)
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
