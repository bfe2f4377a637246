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
from sardonyx.kernels.digits.kernel import OF_A, OF_SUMS, SHORT, SUM_BYTES, kernels
from sardonyx.kernels.digits.numbers import SCALE_BYTES
from sardonyx.kernels.share import round_up, set_word
from sardonyx.kernels.tiles.finish import extremes
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Module, V, int_

_MAGNITUDES = vector_of("i32", 16)

_ENDS = (
    MatrixWords.TILE_ROW,
    MatrixWords.TILE_COLUMN,
    MatrixWords.RESIDUAL_ROW,
    MatrixWords.RESIDUAL_COLUMN,
    MatrixWords.LOW,
    MatrixWords.HIGH,
)
"""What tells of a panel where it goes."""


class DigitsBandBlock(BandBlock):
    """Writes the function; `one_scale` tells whether a band has one."""

    with_rows = (*OF_SUMS, *OF_A)
    spare_bytes = SUM_BYTES
    split_word_count = len(BlockWords)

    def _define_parts(self, module: Module) -> None:
        self.kernels, self.short = kernels(module, self.matrix)
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

    def _choose_kernels(self, narrow: V) -> None:
        super()._choose_kernels(narrow)
        f, (one, two) = self.f, self.by_rows
        steps = f.mul(self.register_steps, self.inner)
        is_short = f.binary("and", f.icmp("sle", steps, int_(SHORT)), f.binary("xor", narrow, int_(1, "i1")))
        self.by_rows = [one, f.select(is_short, self.short, two)]

    def _begin_panel(self, b: V, narrow: V) -> V:
        f = self.f
        self.descriptor.point({MatrixWords.COLUMN_SCALES: b})
        columns = self.matrix.tile.rows * SCALE_BYTES
        self._choose_end(narrow)
        return f.gep(b, f.select(narrow, int_(columns), int_(ACROSS * columns)), "i8")

    def _begin_tile(self, a: V, below: V) -> None:
        f = self.f
        within = f.sub(f.convert("ptrtoint", a, "i64"), f.convert("ptrtoint", self.band, "i64"))
        self.descriptor.point({MatrixWords.SCALES: f.gep(self.scales, self._scale(within), "i8")})
        self.descriptor.set({MatrixWords.SCALES_HALF: self._scale(below)})

    def _choose_end(self, narrow: V) -> None:
        """Finish whole panels of finite numbers where they are joined, in Y; else sums go to scratch."""
        f, shape, word, end = self.f, self.shape, self.word, self.end
        width = f.select(narrow, int_(shape.lanes), int_(shape.columns))
        lane = f.binary("and", self.first_channel, int_(shape.block - 1))
        whole = f.binary("and", f.icmp("eq", lane, int_(0)), f.icmp("eq", self.columns, width))
        finite = f.icmp("eq", f.word(self.descriptor.words, MatrixWords.A_FINITE), int_(0))
        self.direct = f.binary("and", f.binary("and", self.may_be_direct, whole), finite)
        residual = [end.residual_stride(self._bytes(word[w])) for w in (Conv.R_PIXEL, Conv.R_BLOCK)]
        to_y = (
            self._bytes(word[Conv.Y_PIXEL]),
            self._bytes(word[Conv.Y_BLOCK]),
            *residual,
            *end.limits.values(),
        )
        column = int_(shape.lanes * shape.element)
        in_scratch = int_(shape.panel_row_bytes), column, int_(0), int_(0), *extremes(shape)
        chosen = (f.select(self.direct, *both) for both in zip(to_y, in_scratch, strict=True))
        self.descriptor.set(dict(zip(_ENDS, chosen, strict=True)))
        bias = f.select(self.direct, end.bias(self.first_channel), end.zeros)
        self.descriptor.point({MatrixWords.BIAS: bias, MatrixWords.RESIDUAL: end.zeros})

    def _aim(self, line: V, pixel: V, size: tuple[V, V], tile: V) -> V:
        """To Y, if panels are finished where they are joined: rows that are no pixels are left out then."""
        f, word, (lines, pixels), rows = self.f, self.word, size, self.register_rows
        two = f.icmp("eq", lines, int_(2))
        counts = f.smin(pixels, rows), f.select(two, pixels, f.sub(pixels, rows))
        of_rows = zip((MatrixWords.ROWS, MatrixWords.ROWS_HALF), counts, strict=True)
        self.descriptor.set({w: f.select(self.direct, count, rows) for w, count in of_rows})
        y, residual = (self.outputs.place(operand, line, pixel, self.first_channel) for operand in "YR")
        with f.when(self.direct):
            halves = [
                self._bytes(f.select(two, word[line_], f.mul(rows, word[pixel_])))
                for line_, pixel_ in ((Conv.Y_LINE, Conv.Y_PIXEL), (Conv.R_LINE, Conv.R_PIXEL))
            ]
            self.descriptor.set({MatrixWords.TILE_HALF: halves[0]})
            self.descriptor.set({MatrixWords.RESIDUAL_HALF: self.end.residual_stride(halves[1])})
            self.descriptor.point({MatrixWords.RESIDUAL: self.end.residual_or_zeros(residual.address)})
        return f.select(self.direct, y.address, tile)
