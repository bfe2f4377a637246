"""Products of a few rows of floats with levels, which become floats in registers: micro-kernels, their loops.

Must not know threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.product.blockwise import level, order
from sardonyx.kernels.product.levels.sums import LevelKernel, LevelWriter
from sardonyx.kernels.product.levels.walk import LevelBlock, row_counts
from sardonyx.kernels.product.walk import Weights
from sardonyx.kernels.tiles.microkernel import added
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, float_, int_

_PICKED_BITS = 4
"""An instruction picks one of twice as many floats by the lowest bits of a word, of which one is ignored."""


def define_few_sums(
    module: Module, target: Target, shape: TileShape, bits: int, rows: int, *, shifts: bool
) -> str:
    """Add the micro-kernel, as `LevelWriter` says, of rows of floats, without facts; returns its name."""
    name = f"few_blockwise{bits}_{rows}x{shape.vectors}{'shifted' if shifts else ''}"
    if not module.has(name):
        _Writer(module, LevelKernel(name, shape, bits, rows, shifts, 4 * GROUP), target).write()
    return name


class _Writer(LevelWriter):
    def __init__(self, module: Module, kernel: LevelKernel, target: Target) -> None:
        super().__init__(module, kernel)
        self.pick = target.instruction("pick", self.floats) if kernel.bits == _PICKED_BITS else None
        self.phases = 2 if kernel.rows == 1 else 1
        self.usual = 0 if kernel.shifts else 1 << kernel.bits - 1

    def begun(self) -> list[V]:
        vectors = range(self.shape.vectors)
        self.shift = [self.vector(self.zeros, j) for j in vectors] if self.kernel.shifts else []
        return [float_(0.0, self.floats)] * (len(vectors) * self.kernel.rows * self.phases)

    def summed(self, rows: V, levels: V, sums: Sequence[V]) -> list[V]:
        f, vectors, sums = self.f, self.shape.vectors, list(sums)
        bases = [f.gep(rows, row, "i8") for row in self.rows]
        shifts = order(self.kernel.bits)
        for n, words in enumerate(self.word_rows(levels)):
            for step, shift in enumerate(shifts, n * len(shifts)):
                numbers = [self._number(v, shift, j) for j, v in enumerate(words)]
                for r, base in enumerate(bases):
                    own = f.splat(f.load(f.gep(base, int_(step), "float"), "float"), self.shape.lanes)
                    for j, number in enumerate(numbers):
                        index = (step % self.phases * len(bases) + r) * vectors + j
                        sums[index] = f.fma(own, number, sums[index])
        return sums

    def _number(self, words: V, shift: int, j: int) -> V:
        """One number of each word, less its zero point."""
        f = self.f
        if self.pick:
            found = ", ".join(f"float {float(n - self.usual)}" for n in range(1 << _PICKED_BITS))
            table = V(f"<{found}>", self.floats)
            moved = f.binary("lshr", words, int_(shift, words.type)) if shift else words
            number = f.call(self.pick.name, self.floats, table, moved, table)
        else:
            number = f.convert("sitofp", level(f, words, self.kernel.bits, shift), "float")
            if self.usual:
                number = f.binary("fsub", number, float_(self.usual, self.floats))
        return f.binary("fsub", number, self.shift[j]) if self.shift else number

    def scaled(self, sums: Sequence[V], of_block: Sequence[V]) -> list[V]:
        f, vectors, sums = self.f, self.shape.vectors, list(sums)
        for index in range(len(sums)):
            total = of_block[index]
            for other in of_block[index + len(sums) :: len(sums)]:
                total = added(f, total, other)
            sums[index] = f.fma(total, self.vector(self.scales, index % vectors), sums[index])
        return sums


def define_few_block(module: Module, goal: Goal, bits: int) -> str:
    """Add a function as `define_block` does, for up to `most_rows` rows. Returns the name."""
    block = FewBlock(module, goal, TileShape.of(goal, "f32"), Weights(f"few_blockwise{bits}_", bits=bits))
    block.write()
    return block.f.name


def few_bytes(target: Target, count: int) -> int:
    """Bytes of scratch for products of a few rows over so many numbers."""
    shape = TileShape.of(Goal(target), "f32")
    return row_counts(shape)[-1] * (shape.panel_row_bytes + 4 * (-(-count // GROUP) * GROUP))


def most_rows(goal: Goal) -> int:
    """Rows that are multiplied so: none where the order of sums may not depend on how many there are."""
    return 0 if goal.policy.fixed_order else row_counts(TileShape.of(goal, "f32"))[-1]


class FewBlock(LevelBlock):
    """Writes the function."""

    def _define_parts(self, module: Module) -> None:
        target, shape, bits = self.goal.target, self.shape, self.weights.bits
        self._define_kernels(lambda n, shifts: define_few_sums(module, target, shape, bits, n, shifts=shifts))

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        self._count_groups()
        self._lay_out_scratch()
        self._make_tile_words()
        with f.loop(self.m0, self.m1) as row:
            at = f.mul(f.sub(row.index, self.m0), self.row_bytes)
            self._copy_row(row.index, f.gep(self.rows_at, at, "i8"))
        with f.loop(self.p0, self.p1) as panel:
            self._sum(self.m0, self.rows, panel.index)
        f.ret()
        f.finish()

    def _lay_out_scratch(self) -> None:
        """Sums, then rows of floats."""
        f = self.f
        most = row_counts(self.shape)[-1]
        self.sums = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.rows_at = f.gep(self.sums, int_(most * self.shape.panel_row_bytes), "i8")
        self.row_bytes = f.mul(self.padded, int_(4))
        self.facts, self.facts_row = V("null", "ptr"), int_(0)
