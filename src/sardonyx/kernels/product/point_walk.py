"""The loops of a product of points with weights of few bits around micro-kernels.

Rows become points before they are multiplied, some at a time; one that has none is left to floats. Must not
know threads.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.level_walk import LevelBlock
from sardonyx.kernels.product.point_sums import define_point_sums
from sardonyx.kernels.product.points import FACTS_BYTES, define_points
from sardonyx.kernels.product.walk import Weights
from sardonyx.kernels.scratch import PRODUCT_BYTES, product_bytes
from sardonyx.kernels.share import round_up
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, int_

_ROWS = 64
"""Rows that are points at a time."""

_ROW_GAP = CACHE_LINE
"""Bytes behind a row of points, without which rows of many sizes would begin in one L1 set."""


def points(bits: int) -> Weights:
    """Numbers of few bits that are multiplied with points."""
    return Weights(f"points{bits}_", made=True, bits=bits)


def point_bytes(target: Target, count: int, block: int) -> Dim:
    """Bytes of scratch for products over so many numbers in such blocks."""
    padded = -(-count // GROUP) * GROUP
    each = padded + _ROW_GAP + _facts_bytes(-(-count // block))
    return product_bytes(target) + _ROWS * (each + _TILE_ROW_BYTES) + 4 * padded


_TILE_ROW_BYTES = 128
"""At most, of a panel."""


def _facts_bytes(blocks: int) -> int:
    return -(-blocks * FACTS_BYTES // CACHE_LINE) * CACHE_LINE


def define_point_block(module: Module, goal: Goal, bits: int, floats: str) -> str:
    """Add a function as `define_block` does. Rows without points are left to `floats`. Returns the name."""
    block = PointBlock(module, goal, TileShape.of(goal, "f32"), points(bits))
    block.floats = floats
    block.write()
    return block.f.name


class PointBlock(LevelBlock):
    """Writes the function."""

    floats: str

    def _define_parts(self, module: Module) -> None:
        bits, sums = self.weights.bits, TileShape.of(self.goal, "i8")
        assert sums.columns == self.shape.columns
        self.make = define_points(module, self.shape, bits)
        self._define_kernels(lambda rows, shifts: define_point_sums(module, sums, bits, rows, shifts=shifts))

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        self._count_groups()
        self._lay_out_scratch()
        self._make_tile_words()
        with f.repeat(lambda m: f.icmp("slt", m, self.m1), [self.m0]) as part:
            (m,) = part.carried
            most = f.smin(f.add(m, int_(_ROWS)), self.m1)
            stop = self._make_points(m, most)
            with f.when(f.icmp("slt", m, stop)), f.loop(self.p0, self.p1) as panel:
                self._sum(m, f.sub(stop, m), panel.index)
            is_odd = f.icmp("slt", stop, most)
            behind = f.add(stop, f.convert("zext", is_odd, "i64"))
            with f.when(is_odd):
                f.call(self.floats, "void", self.args, self.ctx, self.b, stop, behind, self.p0, self.p1)
            part.next(behind)
        f.ret()
        f.finish()

    def _lay_out_scratch(self) -> None:
        """Behind what products of floats use: a row of floats, rows of points and their facts, sums."""
        f = self.f
        others = f.add(f.mul(self.word[Gemm.L2_BYTES], int_(2)), int_(PRODUCT_BYTES))
        self.numbers = f.gep(f.word(self.ctx, Context.SCRATCH, "ptr"), others, "i8")
        self.row_bytes = f.add(self.padded, int_(_ROW_GAP))
        self.facts_row = round_up(f, f.mul(self.blocks, int_(FACTS_BYTES)), CACHE_LINE)
        self.rows_at = f.gep(self.numbers, f.mul(self.padded, int_(4)), "i8")
        self.facts = f.gep(self.rows_at, f.mul(self.row_bytes, int_(_ROWS)), "i8")
        self.sums = f.gep(self.facts, f.mul(self.facts_row, int_(_ROWS)), "i8")

    def _make_points(self, m: V, most: V) -> V:
        """Make points of rows from m on; the row before which that ended, as it has none, or `most`."""
        f = self.f
        with f.repeat(lambda row, odd: self._goes_on(row, odd, most), [m, int_(0)]) as each:
            row, _ = each.carried
            self._copy_row(row, self.numbers)
            at = f.sub(row, m)
            to = f.gep(self.rows_at, f.mul(at, self.row_bytes), "i8")
            facts = f.gep(self.facts, f.mul(at, self.facts_row), "i8")
            odd = f.call(self.make, "i64", to, facts, self.numbers, self.groups, self.block)
            each.next(f.add(row, f.sub(int_(1), odd)), odd)
        return each.carried[0]

    def _goes_on(self, row: V, odd: V, most: V) -> V:
        f = self.f
        return f.binary("and", f.icmp("slt", row, most), f.icmp("eq", odd, int_(0)))
