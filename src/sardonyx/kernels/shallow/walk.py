"""The loops of a product with short sums: groups of panels that stay in L1, runs of rows, panels.

Decides in which order C is written; must not know threads.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.walk import Block, Weights
from sardonyx.kernels.shallow.rows import Rows, RowWords, define_rows
from sardonyx.kernels.share import new_words, set_word
from sardonyx.kernels.tiles.microkernel import TileWords
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module, V, int_

_GROUP_BYTES = 16 << 10
"""Of panels that stay in L1 while rows pass by."""

_TOGETHER = 32
"""Rows that go through a panel before they go through the next one."""


def shallow(steps: int, *, made: bool) -> Weights:
    """B of so many steps, packed or as any matrix."""
    return Weights(f"shallow{steps}_{'dynamic_' if made else ''}", made)


def define_shallow_block(module: Module, goal: Goal, shape: TileShape, steps: int, *, made: bool) -> str:
    """Add a function as `define_block` does, for that many steps and no epilogue. Returns the name."""
    block = ShallowBlock(module, goal, shape, steps, made=made)
    block.write()
    return block.f.name


class ShallowBlock(Block):
    """Writes the function."""

    def __init__(self, module: Module, goal: Goal, shape: TileShape, steps: int, *, made: bool) -> None:
        self.count = steps
        super().__init__(module, goal, shape, shallow(steps, made=made))

    def _define_parts(self, module: Module) -> None:
        widths = self.shape.vectors, 1
        self.wide, self.narrow = (
            V(f"@{define_rows(module, Rows(self.shape, self.count, n))}", "ptr") for n in widths
        )

    def write(self) -> None:
        """Write all of it."""
        f, shape = self.f, self.shape
        self._load_words()
        self._make_row_words()
        group = max(1, _GROUP_BYTES // (self.count * shape.panel_row_bytes))
        with f.loop(self.p0, self.p1, group) as groups:
            low = groups.index
            high = f.smin(f.add(low, int_(group)), self.p1)
            if self.weights.made:
                self._lay_out(low, high)
            alone = f.icmp("eq", f.sub(high, low), int_(1))
            together = f.select(alone, self.rows, int_(_TOGETHER))
            with f.loop(self.m0, self.m1, together) as rows:
                count = f.smin(f.sub(self.m1, rows.index), together)
                with f.loop(low, high) as panel:
                    self._rows_of(panel.index, rows.index, count, low)
        f.ret()
        f.finish()

    def _make_row_words(self) -> None:
        """The words that all rows share, and the strides of a copy."""
        f, shape, word = self.f, self.shape, self.word
        self.a_row, self.c_row, residual_row = (
            f.mul(word[w], int_(shape.element)) for w in (Gemm.A_M, Gemm.C_M, Gemm.R_M)
        )
        self.residual_row = self.end.residual_stride(residual_row)
        words: dict[int, V] = {
            RowWords.A_ROW: self.a_row,
            RowWords.C_ROW: self.c_row,
            RowWords.RESIDUAL_ROW: self.residual_row,
            RowWords.LOW: self.end.limits[TileWords.LOW],
            RowWords.HIGH: self.end.limits[TileWords.HIGH],
            RowWords.FINISHING: f.convert("zext", self.end.finishing, "i64"),
        }
        self.words = new_words(f, words, len(RowWords))
        self.strides = new_words(f, {}, 3)

    def _width(self, panel: V) -> tuple[V, V, V]:
        """The first column of a panel, how many there are, and whether one vector holds them."""
        f, shape = self.f, self.shape
        first = f.mul(panel, int_(shape.columns))
        columns = f.smin(f.sub(self.word[Gemm.N], first), int_(shape.columns))
        return first, columns, f.icmp("sle", columns, int_(shape.lanes))

    def _lay_out(self, low: V, high: V) -> None:
        """Pack a group of panels."""
        f, shape, word = self.f, self.shape, self.word
        with f.loop(low, high) as panel:
            first, columns, narrow = self._width(panel.index)
            width = f.select(narrow, int_(shape.lanes), int_(shape.columns))
            source = f.gep(self.b_matrix, f.mul(first, word[Gemm.B_N]), shape.dtype)
            strides = width, word[Gemm.B_K], word[Gemm.B_N]
            self._copy(self._made(panel.index, low), source, self.k, columns, *strides)

    def _made(self, panel: V, low: V) -> V:
        f, shape = self.f, self.shape
        at = f.mul(f.sub(panel, low), f.mul(self.k, int_(shape.columns)))
        return f.gep(self.f.word(self.ctx, Context.SCRATCH, "ptr"), at, shape.dtype)

    def _rows_of(self, panel: V, row: V, count: V, low: V) -> None:
        """Some rows of one panel."""
        f, shape = self.f, self.shape
        self.n, columns, narrow = self._width(panel)
        made = self.weights.made
        b = self._made(panel, low) if made else f.gep(self.b_matrix, f.mul(self.n, self.k), shape.dtype)
        a = f.gep(self.a, f.mul(row, self.word[Gemm.A_M]), shape.dtype)
        c, residual = self._places(row)
        set_word(f, self.words, RowWords.BIAS, self.end.bias(self.n))
        kernel = f.select(narrow, self.narrow, self.wide)
        f.call_pointer(kernel, a, b, c, self.end.residual_or_zeros(residual), count, columns, self.words)
