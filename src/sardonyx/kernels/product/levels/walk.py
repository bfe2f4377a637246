"""The loops of a product with weights of few bits that stay what they are in memory, around micro-kernels.

Rows are laid out in scratch before they are multiplied, some at a time. Must not know threads.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.levels.sums import LevelWords
from sardonyx.kernels.product.walk import Block
from sardonyx.kernels.share import ceil_div, new_words
from sardonyx.kernels.tiles.finish import Strided, Tile
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import V, int_

_MOST_ROWS = 4


def row_counts(shape: TileShape) -> list[int]:
    """For how many rows there are micro-kernels: as many as have registers for both kinds of sums."""
    return [1, 2] if shape.max_rows < 2 * _MOST_ROWS else [1, 2, _MOST_ROWS]


class LevelBlock(Block):
    """Writes parts of the function; `kernels` are by number of rows, and by whether zero points are usual.

    `rows`, `facts` and `sums` are places in scratch, `row_bytes` and `facts_row` strides.
    """

    kernels: list[list[V]]
    rows_at: V
    row_bytes: V
    facts: V
    facts_row: V
    sums: V

    def _define_kernels(self, define: Callable[[int, bool], str]) -> None:
        counts = row_counts(self.shape)
        self.kernels = [[V(f"@{define(n, shifts)}", "ptr") for shifts in (True, False)] for n in counts]

    def _count_groups(self) -> None:
        f, word = self.f, self.word
        self.groups = ceil_div(f, self.k, int_(GROUP))
        self.block = f.binary("udiv", word[Gemm.BLOCK], int_(GROUP))
        self.blocks = ceil_div(f, self.groups, self.block)
        self.padded = f.mul(self.groups, int_(GROUP))

    def _make_tile_words(self) -> None:
        f, word, shape = self.f, self.word, self.shape
        self.c_row, self.residual_row = (f.mul(word[w], int_(shape.element)) for w in (Gemm.C_M, Gemm.R_M))
        group_bytes = GROUP * shape.columns * self.weights.bits // 8
        self.panel_bytes = f.mul(self.groups, int_(group_bytes))
        size = f.mul(ceil_div(f, word[Gemm.N], int_(shape.columns)), self.panel_bytes)
        last = f.gep(self.b_matrix, f.sub(size, int_(group_bytes)), "i8")
        words: dict[int, V] = {
            LevelWords.GROUPS: self.groups,
            LevelWords.BLOCK: self.block,
            LevelWords.ROW: self.row_bytes,
            LevelWords.FACTS_ROW: self.facts_row,
            LevelWords.LAST: f.convert("ptrtoint", last, "i64"),
        }
        self.level_words = new_words(f, words, len(LevelWords))
        self.zeros = f.word(self.args, Gemm.ZEROS, "ptr")
        self.shifts = f.icmp("ne", self.zeros, V("null", "ptr"))
        self.picked = [f.select(self.shifts, *pair) for pair in self.kernels]

    def _copy_row(self, row: V, to: V) -> None:
        """The row as floats side by side, with zeros behind them."""
        f, lanes = self.f, self.shape.lanes
        source = f.gep(self.a, f.mul(row, self.word[Gemm.A_M]), "float")
        whole = f.binary("and", self.k, int_(-lanes))
        with f.loop(whole, self.padded, lanes) as rest:
            f.store(V("zeroinitializer", self.shape.vector), f.gep(to, rest.index, "float"))
        apart, beside, done = (f.new_label(hint) for hint in ("apart", "beside", "done"))
        f.branch(f.icmp("eq", self.word[Gemm.A_K], int_(1)), beside, apart)
        f.start(beside)
        with f.loop(int_(0), whole, lanes) as vector:
            value = f.load(f.gep(source, vector.index, "float"), self.shape.vector)
            f.store(value, f.gep(to, vector.index, "float"))
        mask = f.tail_mask(f.sub(self.k, whole), lanes)
        with f.when(f.icmp("slt", whole, self.k)):
            value = f.masked_load(f.gep(source, whole, "float"), self.shape.vector, mask)
            f.store(value, f.gep(to, whole, "float"))
        f.jump(done)
        f.start(apart)
        with f.loop(int_(0), self.k) as one:
            value = f.load(f.gep(source, f.mul(one.index, self.word[Gemm.A_K]), "float"), "float")
            f.store(value, f.gep(to, one.index, "float"))
        f.jump(done)
        f.start(done)

    def _sum(self, m: V, count: V, panel: V) -> None:
        """Some rows of a panel, the first of which is row m, which are passed on together."""
        f, shape, counts = self.f, self.shape, row_counts(self.shape)
        self.n = f.mul(panel, int_(shape.columns))
        self.columns = f.smin(f.sub(self.word[Gemm.N], self.n), int_(shape.columns))
        levels = f.gep(self.b_matrix, f.mul(panel, self.panel_bytes), "i8")
        at = f.mul(f.mul(panel, self.blocks), int_(shape.columns))
        scales = f.gep(f.word(self.args, Gemm.SCALES, "ptr"), at, "float")
        zeros = f.gep(self.zeros, f.select(self.shifts, at, int_(0)), "float")
        with f.loop(int_(0), count, counts[-1]) as tile:
            left = f.sub(count, tile.index)
            kernel = self.picked[-1]
            for most, smaller in zip(counts[-2::-1], self.picked[-2::-1], strict=True):
                kernel = f.select(f.icmp("sle", left, int_(most)), smaller, kernel)
            rows = f.gep(self.rows_at, f.mul(tile.index, self.row_bytes), "i8")
            facts = f.gep(self.facts, f.mul(tile.index, self.facts_row), "i8")
            into = f.gep(self.sums, f.mul(tile.index, int_(shape.panel_row_bytes)), "i8")
            f.call_pointer(kernel, rows, facts, levels, scales, zeros, into, self.level_words)
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
