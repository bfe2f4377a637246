"""Attention on matrix registers: keys and values as panels of the numbers that these hold.

Must not know threads, nor what happens to a row of scores.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Attention
from sardonyx.kernels.attention.driver import Walk
from sardonyx.kernels.attention.layout import Layout
from sardonyx.kernels.product.matrix import MatrixBlock
from sardonyx.kernels.scratch import SUM_BYTES
from sardonyx.kernels.share import evenly, round_up, set_word
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.split import define_split_panel
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Module, V, int_

_NEAR_BYTES = 32 << 10
"""Of shares, and of values, that are multiplied at a time: they stay in L1."""

_STEPS = 256
"""Steps of a panel that are copied before they are split: they stay in L1."""


def define_matrix_attention(module: Module, goal: Goal, tile: MatrixTile) -> None:
    """Add `void @sdx_attention_{tile}_f32(ptr args, ptr ctx)`."""
    MatrixWalk(module, goal, Layout.of_registers(goal, tile)).write()


class MatrixWalk(Walk):
    """Writes the function."""

    def _define_products(self, module: Module, goal: Goal) -> tuple[str, str]:
        assert self.layout.tile is not None
        self.matrix = MatrixShape(self.layout.tile)
        across = range(1, ACROSS + 1)
        self.split_panels = [define_split_panel(module, self.matrix, n, careful=False) for n in across]
        sums = replace(self.shape, max_rows=self.matrix.rows)
        scores = _Scores(module, goal, sums, self.matrix, made=False)
        mixed = _Mixed(module, goal, sums, self.matrix, made=False)
        for block in (scores, mixed):
            block.write()
        return scores.f.name, mixed.f.name

    def write(self) -> None:
        """Write all of it: the registers are configured if there are rows for them."""
        self.many = self.f.icmp("sgt", self.word[Attention.M], int_(self.layout.few_rows))
        super().write()

    def _heads(self) -> None:
        f, by = self.f, self.matrix.tile.instruction
        with f.when(self.many):
            matrix.configure(f, by)
        super()._heads()
        with f.when(self.many):
            matrix.release(f, by)

    def _pack(self, rows: V, k: V, v: V) -> None:
        """Pack keys and values; those that hold what has no parts are multiplied as they lie."""
        f, word = self.f, self.word
        few = f.icmp("sle", rows, int_(self.layout.few_rows))
        total, depth, width = word[Attention.T], word[Attention.D], word[Attention.E]
        keys = depth, f.select(few, int_(0), total)
        values = total, f.select(few, int_(0), width)
        special = f.binary(
            "or",
            self._split(self.keys, k, keys, (word[Attention.K_D], word[Attention.K_T])),
            self._split(self.values, v, values, (word[Attention.V_T], word[Attention.V_E])),
        )
        self.few = f.binary("or", few, f.icmp("ne", special, int_(0)))

    def _split(self, to: V, source: V, size: tuple[V, V], strides: tuple[V, V]) -> V:
        """A matrix of `size` (steps, columns) as panels of numbers; whether some have no parts."""
        f, shape, floats, (steps, columns) = self.f, self.matrix, self.shape, size
        each = int_(shape.planes * shape.number_bytes)
        padded = round_up(f, steps, shape.k_step)
        functions = [V(f"@{name}", "ptr") for name in self.split_panels]
        with f.loop(int_(0), columns, floats.columns, [int_(0)]) as panel:
            left = f.smin(f.sub(columns, panel.index), int_(floats.columns))
            narrow = f.icmp("sle", left, int_(floats.lanes))
            width = f.select(narrow, int_(floats.lanes), int_(floats.columns))
            plane = f.mul(f.select(narrow, int_(1), int_(ACROSS)), int_(shape.register_bytes))
            row = f.mul(width, each)
            into = f.gep(to, f.mul(f.mul(panel.index, padded), each), "i8")
            out_of = f.gep(source, f.mul(panel.index, strides[1]), floats.dtype)
            split = f.select(narrow, *functions)
            for word, stride in enumerate((width, *strides)):
                set_word(f, self.strides, word, stride)
            with f.loop(int_(0), steps, _STEPS, [panel.carried[0]]) as part:
                some = f.smin(f.sub(steps, part.index), int_(_STEPS))
                at = f.gep(out_of, f.mul(part.index, strides[0]), floats.dtype)
                f.call(self.copy, "void", self.products, at, some, left, self.strides)
                there = f.gep(into, f.mul(part.index, row), "i8")
                words = there, self.products, some, f.mul(plane, int_(shape.planes)), plane
                found = f.value("i64", f"call i64 {split.text}({', '.join(map(str, words))})")
                part.next(f.binary("or", part.carried[0], found))
            panel.next(part.carried[0])
        return panel.carried[0]


class _Near(MatrixBlock):
    """Products of a strip by what is in L2 already."""

    def _ahead(self) -> Ahead:
        return Ahead.nothing()


class _Scores(_Near):
    """Those that go to a strip of scores at once: it has room for whole registers of rows."""

    purpose = "attention_scores_"

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        self.may_be_direct = self.end.unfused

    def _expect(self, c: V, residual: V, rows: V) -> None:
        """Scores are in cache already."""


class _Mixed(_Near):
    """Those of shares: a tile of rows after the other, with as many values at a time as stay in L1."""

    purpose = "attention_mixed_"

    def _choose_blocks(self) -> None:
        f, matrix = self.f, self.matrix
        longest = _NEAR_BYTES // (2 * matrix.rows * matrix.planes * matrix.number_bytes)
        self.k_block = round_up(f, evenly(f, f.smax(self.k, int_(1)), int_(longest)), matrix.k_step)
        self.k_is_cut = f.icmp("slt", self.k_block, self.k)
        self.tiles_per_block = int_(1)
        kept = int_(SUM_BYTES // self.shape.tile_bytes)
        self.panels_per_block = f.select(self.k_is_cut, kept, f.sub(self.p1, self.p0))
