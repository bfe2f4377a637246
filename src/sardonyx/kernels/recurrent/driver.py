"""Recurrent layers: the split between threads and the sweep over time.

Decides which thread computes which rows and units; the inputs' product with their weights is not part of it.
Must not know ONNX.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.recurrent.layer import Layer, Memory, Word
from sardonyx.kernels.recurrent.matrix import LEAST_ROWS, define_split
from sardonyx.kernels.recurrent.quantise import define_quantise
from sardonyx.kernels.recurrent.step import Step
from sardonyx.kernels.recurrent.sums import Panel
from sardonyx.kernels.share import Cut, Groups, ceil_div, split
from sardonyx.kernels.tiles.matrix import OF_A, OF_SUMS, MatrixShape
from sardonyx.llvm import matrix
from sardonyx.llvm.convert import from_memory
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_

_PART_MACS = 32_000
"""Multiplications of one step that are worth a thread of their own, and so a barrier."""


def layer_ir(layer: Layer, goal: Goal) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)` of a layer."""
    module = Module()
    phases = [Step(module, layer, goal, number) for number in range(len(layer.panels(goal)))]
    for phase in phases:
        phase.write()
    before: list[str] = []
    if layer.quantised:
        before = [define_quantise(module, layer, goal)]
    elif layer.matrix:
        before = [define_split(module, layer, goal, number) for number in range(len(phases))]
    _Driver(module, layer, goal, [phase.f.name for phase in phases], before).write()
    return module.text()


@dataclass(frozen=True, slots=True)
class _Share:
    """Rows and blocks of units of one direction that one thread computes; run-time bounds."""

    direction: V
    rows: tuple[V, V]
    parts: V
    part: V


class _Driver:
    """Writes the kernel: shares, initial states, the sweep over time, final states."""

    def __init__(
        self, module: Module, layer: Layer, goal: Goal, steps: Sequence[str], before: Sequence[str]
    ) -> None:
        self.f = Function(module, layer.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.layer, self.goal, self.steps, self.before = layer, goal, steps, before
        self.tile = goal.find_matrix("f32") if layer.matrix else None
        self.args, self.ctx = self.f.params
        self.scratch = self.f.word(self.ctx, Context.SCRATCH, "ptr")
        self.memory = Memory(self.f, layer, goal, self.args)

    def write(self) -> None:
        f, word = self.f, self.memory.word
        if self.layer.hands_over:
            self._hand_over()
        directions = word[Word.DIRECTIONS]
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        cut, tiles = self._tiles()
        crew = f.smax(f.binary("udiv", threads, f.smax(directions, int_(1))), int_(1))
        enough = f.icmp("sle", directions, threads)
        if self.memory.panel.short:
            together = f.binary("and", f.icmp("slt", tiles, threads), self._overflows())
            crew = f.select(together, threads, crew)
            enough = f.binary("and", enough, f.binary("xor", together, int_(1, "i1")))
        first = f.select(enough, f.binary("udiv", tid, crew), int_(0))
        last = f.select(enough, f.smin(f.add(first, int_(1)), directions), directions)
        last = f.select(f.binary("or", enough, f.icmp("slt", tid, crew)), last, int_(0))
        member = f.binary("urem", tid, crew)
        by_rows = f.icmp("sge", tiles, crew)
        parts = f.select(by_rows, int_(1), self._parts(crew))
        meets = f.icmp("sgt", parts, int_(1))
        if self.layer.quantised:
            meets = f.binary("or", meets, f.icmp("sgt", crew, int_(1)))
        idle = f.binary("and", meets, f.icmp("sge", first, directions))
        low, high = (cut.begin(f, tile) for tile in split(f, tiles, member, crew))
        beyond = f.binary("or", idle, f.icmp("sge", f.select(by_rows, int_(0), member), parts))
        high = f.select(beyond, int_(0), f.select(by_rows, high, word[Word.BATCH]))
        rows = f.select(by_rows, low, int_(0)), high
        first, last = f.select(idle, int_(0), first), f.select(idle, int_(1), last)
        part = f.select(f.binary("or", by_rows, beyond), int_(0), member)
        if self.tile:
            few = f.smax(f.smin(f.sub(rows[1], rows[0]), int_(self.tile.rows)), int_(1))
            matrix.configure(f, self.tile.instruction, dict.fromkeys((*OF_SUMS, *OF_A), few))
        with f.loop(first, last) as loop:
            self._direction(_Share(loop.index, rows, parts, part), meets)
        if self.tile:
            matrix.release(f, self.tile.instruction)
        f.ret()
        f.finish()

    def _tiles(self) -> tuple[Cut | Groups, V]:
        """How rows are cut, and into how many tiles; those on registers lie the same for any threads."""
        f, batch = self.f, self.memory.word[Word.BATCH]
        if self.tile:
            groups = Groups.of(f, batch, MatrixShape(self.tile).rows)
            return groups, groups.parts
        tiles = ceil_div(f, batch, int_(self.memory.panel.max_rows))
        return Cut.of(f, batch, f.smax(tiles, int_(1))), tiles

    def _hand_over(self) -> None:
        """Let the kernel for many rows do it if they are."""
        f, word = self.f, self.memory.word
        few, many = f.new_label("few"), f.new_label("many")
        f.branch(f.icmp("sge", word[Word.BATCH], int_(LEAST_ROWS)), many, few)
        f.start(many)
        f.call_pointer(word[Word.MANY], self.args, self.ctx)
        f.ret()
        f.start(few)

    def _overflows(self) -> V:
        """Whether L2 is too small for the weights of a direction: threads then share out each of them."""
        f, word = self.f, self.memory.word
        lanes = f.add(word[Word.SHORT_D], word[Word.SHORT_INNER_D])
        limit = self.goal.target.l2_bytes * 3 // 4
        return f.icmp("sgt", f.mul(lanes, int_(size_of(self.layer.compute))), int_(limit))

    def _parts(self, crew: V) -> V:
        """Into how many parts the units of a direction are cut; each part must be worth a barrier."""
        f, word = self.f, self.memory.word
        gates = sum(p.vectors // p.units for p in self.layer.panels(self.goal))
        columns = f.mul(self.memory.pitch, int_(gates))
        macs = f.mul(f.mul(word[Word.BATCH], word[Word.UNITS]), columns)
        return f.smax(f.smin(crew, f.binary("udiv", macs, int_(_PART_MACS))), int_(1))

    def _direction(self, share: _Share, meets: V) -> None:
        f, word = self.f, self.memory.word
        groups = [self._groups(share, panel) for panel in self.layer.panels(self.goal)]
        last = self.layer.panels(self.goal)[-1]
        low, high = (f.smin(f.mul(g, int_(last.units)), self.memory.blocks) for g in groups[-1])
        blocks = (low, high)
        self._rows(share, blocks, self._begin)
        self._meet(meets)
        with f.loop(int_(0), word[Word.STEPS]) as time:
            here = (self.args, self.scratch, share.direction, time.index, *share.rows)
            before = itertools.zip_longest(self.before, self.steps)
            for (name, step), (low, high) in zip(before, groups, strict=True):
                if name:
                    f.call(name, "void", *here)
                f.call(step, "void", *here, low, high)
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
        memory.store_state(Lanes(f, V("zeroinitializer", memory.vector)), to, column, memory.mask(column))
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
