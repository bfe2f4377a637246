"""The loops of a pointwise convolution around micro-kernels whose numbers are digits.

Each pixel of a band has a scale: that of its largest channel. Scales lie before the band, one behind the
other as its pixels. Must not know threads.
"""

from __future__ import annotations

from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.digits.cut import define_cut_blocks
from sardonyx.kernels.digits.kernel import OF_A, OF_SUMS, SUM_BYTES, kernels
from sardonyx.kernels.digits.numbers import SCALE_BYTES
from sardonyx.kernels.share import round_up, set_word
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.llvm.vec import Module, V, int_


class DigitsBandBlock(BandBlock):
    """Writes the function, for windows of one tap."""

    with_rows = (*OF_SUMS, *OF_A)
    spare_bytes = SUM_BYTES

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        names = (define_cut_blocks(module, self.matrix, self.shape.block, careful=c) for c in (False, True))
        self.split = [V(f"@{name}", "ptr") for name in names]

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        self.scales = self.band
        self.descriptor.set(
            {MatrixWords.ROWS: self.register_rows, MatrixWords.SCALE_ROW: self._scale(self.row)}
        )

    def _scale(self, distance: V) -> V:
        """How far scales are apart whose pixels are so far apart in a step of the band."""
        return self.f.binary("udiv", distance, int_(self.matrix.tile.row_bytes // SCALE_BYTES))

    def _tell_split(self, step: V, plane: V) -> None:
        super()._tell_split(step, plane)
        f = self.f
        self.band = f.gep(self.scales, round_up(f, self._scale(step), CACHE_LINE), "i8")
        for n, address in enumerate((self.scales, self.band), 6):
            set_word(f, self.split_words, n, address)

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
