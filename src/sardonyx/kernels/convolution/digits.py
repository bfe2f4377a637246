"""The loops of one convolution around micro-kernels whose numbers are digits.

A pixel that one tap reads has a scale of its own: that of its largest channel, normed if it is to be. Where
several taps add up, all pixels of a band have one. Scales lie before the band, one behind the other as its
pixels. Must not know threads.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.digits.blocks import (
    BlockWords,
    define_cut_blocks,
    define_cut_evenly,
    define_largest_of_blocks,
    set_scale,
)
from sardonyx.kernels.digits.kernel import OF_A, OF_SUMS, SUM_BYTES, kernels
from sardonyx.kernels.digits.numbers import SCALE_BYTES
from sardonyx.kernels.share import round_up, set_word
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Module, V, int_

_MAGNITUDES = vector_of("i32", 16)


class DigitsBandBlock(BandBlock):
    """Writes the function; `one_scale` tells whether a band has one."""

    with_rows = (*OF_SUMS, *OF_A)
    spare_bytes = SUM_BYTES
    split_word_count = len(BlockWords)

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        define = define_cut_blocks, define_cut_evenly, define_largest_of_blocks
        block = self.shape.block
        self.splits, self.splits_evenly, self.measures = (
            [
                [V(f"@{d(module, self.matrix, block, careful=c, normed=n)}", "ptr") for c in (False, True)]
                for n in (False, True)
            ]
            for d in define
        )
        self.split = self.splits[False]

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        self.scales, f = self.band, self.f
        self.magnitudes = f.alloca("i32", 16)
        self.one_scale = f.icmp("sgt", self.inner, int_(1))
        words: dict[int, V] = {MatrixWords.ROWS: self.register_rows}
        words |= {MatrixWords.SCALE_ROW: self._scale(self.row)}
        self.descriptor.set(words)

    def _scale(self, distance: V) -> V:
        """How far scales are apart whose pixels are so far apart in a step of the band."""
        own = self.f.binary("udiv", distance, int_(self.matrix.tile.row_bytes // SCALE_BYTES))
        return self.f.select(self.one_scale, int_(0), own)

    def _tell_split(self, step: V, plane: V) -> None:
        super()._tell_split(step, plane)
        f = self.f
        room = round_up(f, f.add(self._scale(step), int_(SCALE_BYTES)), CACHE_LINE)
        self.band = f.gep(self.scales, room, "i8")
        for word, address in ((BlockWords.SCALES, self.scales), (BlockWords.FIRST, self.band)):
            set_word(f, self.split_words, word, address)
        for word, told in ((BlockWords.NORM, Conv.NORM), (BlockWords.LOW, Conv.NORM_LOW)):
            set_word(f, self.split_words, word, f.word(self.args, told))

    def _split(self, function: V, source: V, rows: V, width: V, phase_bytes: V) -> V:
        """Split rows, after a look at all of them if they have one scale."""
        f, number = self.f, self.split.index(function)
        is_normed = f.icmp("ne", f.word(self.args, Conv.NORM), int_(0))
        cut, evenly, measure = (
            f.select(is_normed, normed[number], usual[number])
            for usual, normed in (self.splits, self.splits_evenly, self.measures)
        )
        with f.when(self.one_scale):
            f.store(int_(0, _MAGNITUDES), self.magnitudes)
            pixel, apart = (f.mul(n, int_(size_of(self.a_type))) for n in (int_(self.shape.block), self.unit))
            with f.loop(int_(0), rows, 1, [source]) as row:
                (at,) = row.carried
                how = width, pixel, self.split_words
                f.call_pointer(measure, self.magnitudes, at, *how)
                row.next(f.gep(at, apart, "i8"))
            set_scale(f, self.magnitudes, self.split_words)
        return super()._split(f.select(self.one_scale, evenly, cut), source, rows, width, phase_bytes)

    def _column_bytes(self) -> V:
        return self.f.add(super()._column_bytes(), int_(SCALE_BYTES))

    def _begin_panel(self, b: V, narrow: V) -> V:
        f = self.f
        self.descriptor.point({MatrixWords.COLUMN_SCALES: b})
        columns = self.matrix.tile.rows * SCALE_BYTES
        return f.gep(b, f.select(narrow, int_(columns), int_(ACROSS * columns)), "i8")

    def _begin_tile(self, a: V, below: V) -> None:
        f = self.f
        within = f.sub(f.convert("ptrtoint", a, "i64"), f.convert("ptrtoint", self.band, "i64"))
        self.descriptor.point({MatrixWords.SCALES: f.gep(self.scales, self._scale(within), "i8")})
        self.descriptor.set({MatrixWords.SCALES_HALF: self._scale(below)})
