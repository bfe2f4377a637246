"""The loops of a product of a few rows of floats with weights of few bits. Must not know threads."""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.product.few_sums import define_few_sums
from sardonyx.kernels.product.level_walk import LevelBlock, row_counts
from sardonyx.kernels.product.walk import Weights
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, int_


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
