"""The loops of a product of bytes with any weights: tiles of rows are laid out, panels of B as they are.

Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.outliers.rows import MOST_ROWS, define_rows, pitch_of, tile_bytes
from sardonyx.kernels.outliers.sums import SumWords, define_kernels, picked, set_ahead
from sardonyx.kernels.product.driver import define_driver
from sardonyx.kernels.product.walk import Block, Weights
from sardonyx.kernels.share import evenly, new_words
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.llvm.vec import Module, V, int_
from sardonyx.passes.short_sums import IN_PAIRS

_KIND = Weights("outliers_", lays_out=True)
"""Packed as unsigned bytes."""


def define_outliers(module: Module, goal: Goal) -> None:
    """Add `void @sdx_gemm_outliers_i8pairs(ptr args, ptr ctx)`."""
    shape = TileShape.of(goal, IN_PAIRS)
    assert shape.max_rows == MOST_ROWS
    block = _Block(module, goal, shape, _KIND)
    block.write()
    define_driver(module, shape, block.f.name, _KIND)


class _Block(Block):
    """Writes the function."""

    def _define_parts(self, module: Module) -> None:
        self.lay_out = define_rows(module, self.shape.lanes, self.shape.instruction)
        self.kernels = define_kernels(module, self.goal, self.shape)

    def _choose_blocks(self) -> None:
        """All of k; as many tiles of rows as stay in L2 beside two panels of B, if none is wide."""
        f = self.f
        self.k_block, self.k_is_cut = f.smax(self.k, int_(1)), int_(0, "i1")
        self.pitch = pitch_of(f, self.k)
        self.rows_bytes = tile_bytes(f, self.pitch)
        budget = f.binary("udiv", f.mul(self.word[Gemm.L2_BYTES], int_(3)), int_(4))
        beside = f.mul(self.k, int_(2 * self.shape.panel_row_bytes))
        room = f.sub(budget, beside)
        fitting = f.binary("sdiv", room, f.mul(self.pitch, int_(MOST_ROWS)))
        self.tiles_per_block = evenly(f, self.cut.parts, f.smax(fitting, int_(1)))
        self.panels_per_block = f.sub(self.p1, self.p0)

    def _lay_out_scratch(self) -> None:
        """Sums of a strip, then tiles of rows."""
        f, shape = self.f, self.shape
        self.sums = f.word(self.ctx, Context.SCRATCH, "ptr")
        used = -(-STRIP_TILES * shape.tile_bytes // CACHE_LINE) * CACHE_LINE
        self.a_block = f.gep(self.sums, int_(used), "i8")

    def _make_tile_words(self) -> None:
        f, word = self.f, self.word
        self.c_row = f.mul(word[Gemm.C_M], int_(self.shape.element))
        self.residual_row = f.mul(word[Gemm.R_M], int_(self.shape.element))
        self.totals = f.word(self.args, Gemm.SCALES, "ptr")
        self.may_be_direct = int_(0, "i1")
        self.sum_words = new_words(f, {SumWords.STEPS: self.k, SumWords.PITCH: self.pitch}, len(SumWords))

    def _set_mode(self) -> None:
        """Sums are always new."""

    def _place_a(self) -> None:
        f = self.f
        row_bytes = self.word[Gemm.A_M]
        with f.loop(self.tiles.low, self.tiles.high, 1, [self.a_block]) as tile:
            (into,) = tile.carried
            first, rows = self.cut.begin(f, tile.index), self.cut.size(f, tile.index)
            at = f.gep(self.a, f.mul(f.add(self.m0, first), row_bytes), "i8")
            f.call(self.lay_out, "void", into, at, rows, row_bytes, self.steps, self.pitch)
            tile.next(f.gep(into, self.rows_bytes, "i8"))

    def _sum_panel(self, width: V, narrow: V, sums: V) -> None:
        f = self.f
        b, totals = self._packed_at(self.n, width), f.gep(self.totals, self.n, "i32")
        tiles = f.sub(self.tiles.high, self.tiles.low)
        run = Run(b, f.mul(f.mul(self.steps, width), int_(self.shape.element)))
        ahead = Ahead.of(f, self.shape, tiles, int_(0, "i1"), width, run, self._following())
        set_ahead(f, self.sum_words, ahead)
        sizes = self.even.largest(f), self.even.base
        largest, base = (picked(f, self.kernels, rows, narrow) for rows in sizes)

        def tile(t: V, _: object, later: V, into: V) -> V:
            kernel = f.select(f.icmp("slt", t, self.even.extra), largest, base)
            rows = f.gep(self.a_block, f.mul(f.sub(t, self.tiles.low), self.rows_bytes), "i8")
            f.call_pointer(kernel, rows, b, totals, into, self.sum_words, later)
            return self.cut.size(f, t)

        self._tiles(ahead, sums, tile)
