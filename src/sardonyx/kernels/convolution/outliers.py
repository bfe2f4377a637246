"""The loops of a convolution of bytes with any weights: what the taps of a tile's pixels read is laid out.

A row a pixel, used for all panels of channels. Must not know threads.
"""

from __future__ import annotations

from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.matrix import define_gather
from sardonyx.kernels.convolution.walk import Block
from sardonyx.kernels.outliers.rows import MOST_ROWS, define_rows, pitch_of, tile_bytes
from sardonyx.kernels.outliers.sums import SumWords, define_kernels, picked, set_ahead
from sardonyx.kernels.share import evenly, new_words
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.llvm.vec import Module, V, int_
from sardonyx.passes.short_sums import IN_PAIRS

OUTLIERS = "outliers_"
"""What names of kernels say before the operand."""


class OutliersBlock(Block):
    """Writes the function."""

    prefix = OUTLIERS

    def __init__(self, module: Module, goal: Goal) -> None:
        self.goal = goal
        super().__init__(module, TileShape.of(goal, IN_PAIRS))

    def _define_parts(self, module: Module) -> None:
        shape = self.shape
        self.gather = define_gather(module, "conv_gather_outliers", shape.block)
        self.lay_out = define_rows(module, shape.lanes, shape.instruction)
        self.kernels = define_kernels(module, self.goal, shape)

    def _choose_blocks(self) -> None:
        """As many tiles as fit into L2 beside two panels, if none is wide; the taps are not cut."""
        f, shape = self.f, self.shape
        self.entries_per_cut = f.smax(self.entries, int_(1))
        self.is_cut = int_(0, "i1")
        self.pitch = pitch_of(f, self.steps)
        self.rows_bytes = tile_bytes(f, self.pitch)
        blocks = f.binary("udiv", self.word[Conv.CHANNELS_IN], int_(shape.block))
        self.whole = f.mul(blocks, self.inner)
        panels = f.mul(self.steps, int_(2 * shape.panel_row_bytes))
        room = f.sub(f.binary("lshr", self.word[Conv.L2_BYTES], int_(1)), panels)
        fitting = f.smax(f.binary("sdiv", room, f.mul(self.pitch, int_(MOST_ROWS))), int_(1))
        self.tiles_per_block = evenly(f, f.sub(self.s1, self.s0), fitting)

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        f = self.f
        self.totals = f.word(self.args, Conv.TOTALS, "ptr")
        self.gathered = f.gep(self.sums, int_((STRIP_TILES + 1) * self.shape.tile_bytes), "i8")
        self.laid_out = f.gep(self.gathered, f.mul(self.pitch, int_(MOST_ROWS)), "i8")
        self.may_be_direct = int_(0, "i1")
        self.sum_words = new_words(f, {SumWords.STEPS: self.steps, SumWords.PITCH: self.pitch}, len(SumWords))

    def _begin_block(self) -> None:
        """Gather and lay out what the tiles of the block read."""
        f, cut = self.f, self.tiles.pixels
        with f.loop(self.low, self.high, 1, [self.laid_out]) as tile:
            line = f.mul(f.binary("udiv", tile.index, cut.parts), self.tiles.lines)
            index = f.binary("urem", tile.index, cut.parts)
            lines = f.smin(f.sub(self.word[Conv.LINES], line), self.tiles.lines)
            at = f.add(f.mul(line, self.line), f.mul(cut.begin(f, index), self.row))
            pixels = cut.size(f, index)
            with f.loop(int_(0), lines, 1, [f.gep(self.x, at, "i8"), self.gathered]) as each:
                source, to = each.carried
                table = self.table, self.entries, self.whole
                f.call(self.gather, "void", to, source, *table, pixels, self.row, self.pitch)
                each.next(f.gep(source, self.line, "i8"), f.gep(to, f.mul(pixels, self.pitch), "i8"))
            (into,) = tile.carried
            rows = f.mul(pixels, lines)
            f.call(self.lay_out, "void", into, self.gathered, rows, self.pitch, self.steps, self.pitch)
            tile.next(f.gep(into, self.rows_bytes, "i8"))

    def _choose_kernels(self, narrow: V) -> None:
        f, cut = self.f, self.tiles.pixels
        two = f.icmp("eq", self.tiles.lines, int_(2))
        self.larger = f.select(two, f.mul(cut.total, int_(2)), cut.largest(f))
        smaller = f.select(two, cut.total, cut.base)
        self.picks = [picked(f, self.kernels, rows, narrow) for rows in (self.larger, smaller)]

    def _ahead(self, width: V, run: Run, rest: Run) -> Ahead:
        f = self.f
        ahead = Ahead.of(f, self.shape, f.sub(self.high, self.low), int_(0, "i1"), width, run, rest)
        set_ahead(f, self.sum_words, ahead)
        return ahead

    def _tile(self, number: V, line: V, index: V, b: V, ahead: V, tile: V) -> V:
        f = self.f
        lines = f.smin(f.sub(self.word[Conv.LINES], line), self.tiles.lines)
        rows = f.mul(self.tiles.pixels.size(f, index), lines)
        kernel = f.select(f.icmp("eq", rows, self.larger), *self.picks)
        a = f.gep(self.laid_out, f.mul(f.sub(number, self.low), self.rows_bytes), "i8")
        totals = f.gep(self.totals, self.channel, "i32")
        f.call_pointer(kernel, a, b, totals, tile, self.sum_words, ahead)
        return rows


def laid_out_bytes(goal: Goal) -> int:
    """Bytes of scratch for what a block of tiles reads, beside those of sums."""
    return goal.target.l2_bytes
