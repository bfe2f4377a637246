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
from sardonyx.kernels.product.point_sums import PointKernel, PointWords, define
from sardonyx.kernels.product.points import FACTS_BYTES, define_points
from sardonyx.kernels.product.walk import Block, Weights
from sardonyx.kernels.scratch import PRODUCT_BYTES, product_bytes
from sardonyx.kernels.share import ceil_div, new_words, round_up
from sardonyx.kernels.tiles.finish import Strided, Tile
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


class PointBlock(Block):
    """Writes the function."""

    floats: str

    def _define_parts(self, module: Module) -> None:
        bits, sums = self.weights.bits, TileShape.of(self.goal, "i8")
        assert sums.columns == self.shape.columns
        self.row = define_points(module, self.shape, bits)
        sizes = [1, 2, 4] if sums.max_rows > 8 else [1, 2]
        self.sizes = sizes
        self.kernels = [
            [V(f"@{define(module, PointKernel(sums, bits, rows, s))}", "ptr") for s in (True, False)]
            for rows in sizes
        ]

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
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
        f, word = self.f, self.word
        self.groups = ceil_div(f, self.k, int_(GROUP))
        self.block = f.binary("udiv", word[Gemm.BLOCK], int_(GROUP))
        self.blocks = ceil_div(f, self.groups, self.block)
        padded = f.mul(self.groups, int_(GROUP))
        others = f.add(f.mul(word[Gemm.L2_BYTES], int_(2)), int_(PRODUCT_BYTES))
        self.numbers = f.gep(f.word(self.ctx, Context.SCRATCH, "ptr"), others, "i8")
        self.points_row = f.add(padded, int_(_ROW_GAP))
        self.facts_row = round_up(f, f.mul(self.blocks, int_(FACTS_BYTES)), CACHE_LINE)
        self.points = f.gep(self.numbers, f.mul(padded, int_(4)), "i8")
        self.facts = f.gep(self.points, f.mul(self.points_row, int_(_ROWS)), "i8")
        self.sums = f.gep(self.facts, f.mul(self.facts_row, int_(_ROWS)), "i8")

    def _make_tile_words(self) -> None:
        f, word, shape = self.f, self.word, self.shape
        self.c_row, self.residual_row = (f.mul(word[w], int_(shape.element)) for w in (Gemm.C_M, Gemm.R_M))
        self.panel_bytes = f.mul(self.groups, int_(GROUP * shape.columns * self.weights.bits // 8))
        count = ceil_div(f, word[Gemm.N], int_(shape.columns))
        group_bytes = GROUP * shape.columns * self.weights.bits // 8
        end = f.gep(self.b_matrix, f.sub(f.mul(count, self.panel_bytes), int_(group_bytes)), "i8")
        words: dict[int, V] = {
            PointWords.GROUPS: self.groups,
            PointWords.BLOCK: self.block,
            PointWords.POINTS_ROW: self.points_row,
            PointWords.FACTS_ROW: self.facts_row,
            PointWords.LAST: f.convert("ptrtoint", end, "i64"),
        }
        self.words = new_words(f, words, len(PointWords))
        self.zeros = f.word(self.args, Gemm.ZEROS, "ptr")
        shifts = f.icmp("ne", self.zeros, V("null", "ptr"))
        self.shifts = shifts
        self.picked = [f.select(shifts, *pair) for pair in self.kernels]

    def _make_points(self, m: V, most: V) -> V:
        """Make points of rows from m on; the row before which that ended, as it has none, or `most`."""
        f = self.f
        with f.repeat(lambda row, odd: self._goes_on(row, odd, most), [m, int_(0)]) as each:
            row, _ = each.carried
            self._copy_row(row)
            at = f.sub(row, m)
            to = f.gep(self.points, f.mul(at, self.points_row), "i8")
            facts = f.gep(self.facts, f.mul(at, self.facts_row), "i8")
            odd = f.call(self.row, "i64", to, facts, self.numbers, self.groups, self.block)
            each.next(f.add(row, f.sub(int_(1), odd)), odd)
        return each.carried[0]

    def _goes_on(self, row: V, odd: V, most: V) -> V:
        f = self.f
        return f.binary("and", f.icmp("slt", row, most), f.icmp("eq", odd, int_(0)))

    def _copy_row(self, row: V) -> None:
        """The row as floats side by side, with zeros behind them."""
        f, word, lanes = self.f, self.word, self.shape.lanes
        source = f.gep(self.a, f.mul(row, word[Gemm.A_M]), "float")
        whole = f.binary("and", self.k, int_(-lanes))
        apart, beside, done = (f.new_label(hint) for hint in ("apart", "beside", "done"))
        padded = f.mul(self.groups, int_(GROUP))
        with f.loop(f.binary("and", self.k, int_(-lanes)), padded, lanes) as rest:
            f.store(V("zeroinitializer", self.shape.vector), f.gep(self.numbers, rest.index, "float"))
        f.branch(f.icmp("eq", word[Gemm.A_K], int_(1)), beside, apart)
        f.start(beside)
        with f.loop(int_(0), whole, lanes) as vector:
            value = f.load(f.gep(source, vector.index, "float"), self.shape.vector)
            f.store(value, f.gep(self.numbers, vector.index, "float"))
        mask = f.tail_mask(f.sub(self.k, whole), lanes)
        with f.when(f.icmp("slt", whole, self.k)):
            value = f.masked_load(f.gep(source, whole, "float"), self.shape.vector, mask)
            f.store(value, f.gep(self.numbers, whole, "float"))
        f.jump(done)
        f.start(apart)
        with f.loop(int_(0), self.k) as one:
            value = f.load(f.gep(source, f.mul(one.index, word[Gemm.A_K]), "float"), "float")
            f.store(value, f.gep(self.numbers, one.index, "float"))
        f.jump(done)
        f.start(done)

    def _sum(self, m: V, count: V, panel: V) -> None:
        """Some rows of a panel, which are passed on together."""
        f, shape = self.f, self.shape
        self.n = f.mul(panel, int_(shape.columns))
        self.columns = f.smin(f.sub(self.word[Gemm.N], self.n), int_(shape.columns))
        levels = f.gep(self.b_matrix, f.mul(panel, self.panel_bytes), "i8")
        at = f.mul(f.mul(panel, self.blocks), int_(shape.columns))
        scales = f.gep(f.word(self.args, Gemm.SCALES, "ptr"), at, "float")
        zeros = f.gep(self.zeros, f.select(self.shifts, at, int_(0)), "float")
        with f.loop(int_(0), count, self.sizes[-1]) as tile:
            left = f.sub(count, tile.index)
            kernel = self.picked[-1]
            for size, smaller in zip(self.sizes[-2::-1], self.picked[-2::-1], strict=True):
                kernel = f.select(f.icmp("sle", left, int_(size)), smaller, kernel)
            own = (
                f.gep(self.points, f.mul(tile.index, self.points_row), "i8"),
                f.gep(self.facts, f.mul(tile.index, self.facts_row), "i8"),
            )
            into = f.gep(self.sums, f.mul(tile.index, int_(shape.panel_row_bytes)), "i8")
            f.call_pointer(kernel, *own, levels, scales, zeros, into, self.words)
        self._pass_on_rows(m, count)

    def _pass_on_rows(self, m: V, count: V) -> None:
        """Give the sums of a panel to the epilogue, or finish and store them."""
        word = self.word
        c, residual = self._places(m)
        bias = self.end.bias(self.n)
        tile = Tile(self.sums, int_(self.shape.columns), count, self.columns)
        to, other = Strided(c, word[Gemm.C_M], int_(1)), Strided(residual, word[Gemm.R_M], int_(1))

        def store() -> None:
            self.end.store(tile, to, other, bias, by_row=int_(0, "i1"))

        self.end.pass_on(tile, self.coords, {1: m, 2: self.n}, store)
