"""The loops of a convolution of plain input of a few channels around micro-kernels whose numbers are digits.

A row of the band has the numbers of all lines that lie abreast; neighbouring ones begin some lines apart.
What a block reads has one scale: blocks lie at the same places whoever computes them. Must not know threads.
"""

from __future__ import annotations

from itertools import pairwise

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.choose import GAP
from sardonyx.kernels.convolution.digits import DigitsBandBlock
from sardonyx.kernels.digits.cut import Cut
from sardonyx.kernels.digits.kernel import kernels
from sardonyx.kernels.digits.pixels import (
    PIXEL_BYTES,
    PIXELS,
    PixelWords,
    define_cut_pixels,
    define_largest,
)
from sardonyx.kernels.share import ceil_div, evenly, new_words, round_up, set_words
from sardonyx.kernels.tiles.matrix import MatrixWords
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_FLOATS, _INTS = vector_of("float", PIXELS), vector_of("i32", PIXELS)
_INFINITE = 0x7F800000
_MOST_LINES = 16
"""Lines of outputs of a block at the most."""


@dataclass(frozen=True, slots=True)
class Read:
    """What some tiles read: its first element, lines and pixels; and the first line and pixel of outputs."""

    source: V
    lines: V
    pixels: V
    line: V
    pixel: V
    count: V


class AbreastBandBlock(DigitsBandBlock):
    """Writes the function."""

    suffix = "plain_"

    def _define_parts(self, module: Module) -> None:
        self.kernels, self.short = kernels(module, self.matrix)
        self.largest = [define_largest(module, careful=c) for c in (False, True)]
        self.cuts = [
            [define_cut_pixels(module, self.matrix, size, careful=c) for size in PIXEL_BYTES]
            for c in (False, True)
        ]

    def _measure_band(self) -> None:
        f, word, shape = self.f, self.word, self.matrix
        numbers = f.mul(word[Conv.ABREAST], word[Conv.CHANNELS_IN])
        self.pixel = int_(PIXEL_BYTES[0])
        for less, more in pairwise(PIXEL_BYTES):
            self.pixel = f.select(f.icmp("sgt", numbers, int_(less)), int_(more), self.pixel)
        across = ceil_div(f, f.mul(word[Conv.STEPS], self.pixel), int_(shape.tile.row_bytes))
        self.down, self.across = ceil_div(f, word[Conv.TAPS2], word[Conv.ABREAST]), across
        self.inner = f.mul(self.down, across)
        self.register_steps = int_(1)
        self.steps = f.mul(self.inner, int_(shape.k_step))
        self.row = f.mul(word[Conv.X_PIXEL], self.pixel)
        self.unit = word[Conv.X_TAP2]
        per_line = f.binary("udiv", word[Conv.X_LINE], f.smax(self.unit, int_(1)))
        self.rows_per_line = f.smax(per_line, int_(1))
        whole = f.icmp("eq", f.binary("urem", self.rows_per_line, word[Conv.ABREAST]), int_(0))
        self.apart = f.select(whole, word[Conv.ABREAST], int_(1))
        single = f.icmp("eq", self.down, int_(1))
        self.apart = f.select(single, self.rows_per_line, self.apart)

    def _choose_blocks(self) -> None:
        """As many lines as have their band in a part of L2; tiles of a line if no whole one has."""
        f, word, tiles = self.f, self.word, self.tiles
        self._measure_band()
        self.is_cut, self.is_small = int_(0, "i1"), int_(1, "i1")
        budget = f.binary("udiv", word[Conv.L2_BYTES], int_(8))
        row = f.mul(self._row_bytes(word[Conv.PIXELS]), int_(self.matrix.planes))
        rows = f.sub(f.binary("udiv", budget, row), self._rows_of(int_(1)))
        lines = f.mul(rows, self.apart)
        lines = f.binary("sdiv", lines, self.rows_per_line)
        lines = f.smin(f.add(lines, int_(1)), int_(_MOST_LINES))
        sets = evenly(
            f,
            ceil_div(f, word[Conv.LINES], tiles.lines),
            f.smax(f.binary("sdiv", lines, tiles.lines), int_(1)),
        )
        part = self._row_bytes(int_(self.shape.max_rows))
        part = f.mul(f.mul(part, int_(self.matrix.planes)), self._rows_of(int_(1)))
        of_one = evenly(f, tiles.pixels.parts, f.smax(f.binary("udiv", budget, part), int_(1)))
        one = f.icmp("eq", word[Conv.LINES], int_(1))
        many = f.select(f.icmp("sgt", lines, int_(0)), f.mul(sets, tiles.pixels.parts), int_(1))
        self.tiles_per_block = f.select(one, of_one, many)
        self.in_one_line = f.binary("or", one, f.icmp("eq", self.tiles_per_block, int_(1)))

    def _first_block(self) -> V:
        f = self.f
        return f.mul(f.binary("udiv", self.s0, self.tiles_per_block), self.tiles_per_block)

    def _row_bytes(self, outputs: V) -> V:
        """Bytes of a row of the band for so many outputs of a line."""
        return self.f.mul(round_up(self.f, self._width_of(outputs), PIXELS), self.pixel)

    def _width_of(self, outputs: V) -> V:
        f, word = self.f, self.word
        return f.add(f.mul(f.sub(outputs, int_(1)), word[Conv.X_PIXEL]), word[Conv.STEPS])

    def _rows_of(self, lines: V) -> V:
        """Rows of the band for so many lines of outputs."""
        f = self.f
        before = f.binary("udiv", f.mul(f.sub(lines, int_(1)), self.rows_per_line), self.apart)
        return f.add(f.add(before, self._rows_before(f.sub(self.down, int_(1)))), int_(1))

    def _rows_before(self, steps: V) -> V:
        """How many rows of the band a window goes down in so many steps."""
        f = self.f
        return f.binary("udiv", f.mul(steps, self.word[Conv.ABREAST]), self.apart)

    def _make_tile_words(self) -> None:
        super()._make_tile_words()
        f = self.f
        self.scale = f.alloca("float", 1)
        self.masks = f.gep(self.table, int_(scratch.MOST_ENTRIES), "i64")
        words = MatrixWords.SCALE_ROW, MatrixWords.SCALES_HALF
        self.descriptor.set(dict.fromkeys(words, int_(0)))
        self.descriptor.point({MatrixWords.SCALES: self.scale, MatrixWords.MASKS: self.masks})
        self.pixel_words = new_words(f, {}, len(PixelWords))

    def _begin_tile(self, a: V, below: V) -> None:
        """Nothing: all rows have one scale."""

    def _begin_block(self) -> None:
        f, word = self.f, self.word
        begin = f.mul(f.binary("udiv", self.low, self.tiles_per_block), self.tiles_per_block)
        whole = self._read_by(begin, f.smin(f.add(begin, self.tiles_per_block), self.tiles.count))
        own = self._read_by(self.low, self.high)
        self.first_line, self.first_pixel = own.line, own.pixel
        outputs = f.select(self.in_one_line, own.count, word[Conv.PIXELS])
        row_bytes = self._row_bytes(outputs)
        rows = self._rows_of(
            f.add(f.binary("udiv", f.sub(own.lines, word[Conv.TAPS2]), self.rows_per_line), int_(1))
        )
        self.line_bytes = f.mul(f.binary("udiv", self.rows_per_line, self.apart), row_bytes)
        plane = f.add(f.mul(rows, row_bytes), int_(GAP))
        self._fill_entries(row_bytes, int_(0))
        self.descriptor.set({MatrixWords.A_STEP: int_(0), MatrixWords.A_LOW: plane})
        size = int_(self.shape.element)
        words: dict[int, V] = {
            PixelWords.LINE: f.mul(self.unit, size),
            PixelWords.LINES: whole.lines,
            PixelWords.CHANNEL: f.mul(word[Conv.X_CHANNEL], size),
            PixelWords.CHANNELS: word[Conv.CHANNELS_IN],
            PixelWords.PLANE: plane,
        }
        set_words(f, self.pixel_words, words)
        special = self._scale_block(whole)
        self._cut(own, rows, row_bytes, special)
        self.descriptor.set_finite(MatrixWords.A_FINITE, plane, f.convert("zext", special, "i64"))

    def _read_by(self, low: V, high: V) -> Read:
        """What tiles `low` to `high` read."""
        f, word, cut = self.f, self.word, self.tiles.pixels
        index, first = f.binary("urem", low, cut.parts), f.binary("udiv", low, cut.parts)
        line = f.mul(first, self.tiles.lines)
        last = f.mul(f.binary("udiv", f.sub(high, int_(1)), cut.parts), self.tiles.lines)
        end = f.smin(f.add(last, self.tiles.lines), word[Conv.LINES])
        pixel = f.select(self.in_one_line, cut.begin(f, index), int_(0))
        stop = cut.begin(f, f.add(index, f.sub(high, low)))
        count = f.sub(f.select(self.in_one_line, stop, word[Conv.PIXELS]), pixel)
        begin = f.add(f.mul(line, word[Conv.X_LINE]), f.mul(pixel, word[Conv.X_PIXEL]))
        lines = f.add(f.mul(f.sub(f.sub(end, line), int_(1)), self.rows_per_line), word[Conv.TAPS2])
        return Read(f.gep(self.x, begin, self.a_type), lines, self._width_of(count), line, pixel, count)

    def _scale_block(self, of: Read) -> V:
        """Find the scale of a block, and whether it holds what is infinite or NaN."""
        f = self.f
        usual, careful = self.largest
        asked = of.source, of.pixels, self.pixel_words
        room = f.alloca("i32", 1)
        f.store(f.call(usual, "i32", *asked), room, 4)
        special = f.icmp("sge", f.load(room, "i32", 4), int_(_INFINITE, "i32"))
        with f.when(special):
            f.store(f.call(careful, "i32", *asked), room, 4)
        largest = f.splat(f.load(room, "i32", 4), PIXELS)
        factor, scale = Cut(f, careful=False).factors(largest)
        f.store(f.extract(scale, 0), self.scale, 4)
        f.store(f.extract(factor, 0), f.gep(self.pixel_words, int_(PixelWords.FACTOR), "i64"), 4)
        return special

    def _cut(self, of: Read, rows: V, row_bytes: V, special: V) -> None:
        """Cut all rows of the band."""
        f = self.f
        cut = f.select(special, *(self._by_size(names) for names in reversed(self.cuts)))
        apart = f.mul(f.mul(self.unit, self.apart), int_(self.shape.element))
        with f.loop(int_(0), rows, 1, [self.band, of.source, of.lines]) as row:
            to, source, left = row.carried
            set_words(f, self.pixel_words, {PixelWords.LINES: left})
            f.call_pointer(cut, to, source, of.pixels, self.pixel_words)
            row.next(f.gep(to, row_bytes, "i8"), f.gep(source, apart, "i8"), f.sub(left, self.apart))

    def _by_size(self, names: list[str]) -> V:
        """The function for pixels of so many bytes."""
        f, (found, *others) = self.f, [V(f"@{name}", "ptr") for name in names]
        for less, function in zip(PIXEL_BYTES, others, strict=False):
            found = f.select(f.icmp("sgt", self.pixel, int_(less)), function, found)
        return found

    def _fill_entries(self, row_bytes: V, phase_bytes: V) -> None:
        """Write the table of all steps, and which numbers of each belong to the window."""
        del phase_bytes
        f, word, width = self.f, self.word, int_(self.matrix.tile.row_bytes)
        self.descriptor.set({MatrixWords.ENTRIES: self.inner})
        per_step = f.binary("udiv", width, self.pixel)
        with f.loop(int_(0), self.inner) as entry:
            down, across = (f.binary(op, entry.index, self.across) for op in ("udiv", "urem"))
            at = f.add(f.mul(self._rows_before(down), row_bytes), f.mul(across, width))
            f.store(at, f.gep(self.table, entry.index, "i64"), 8)
            lines = f.smin(f.sub(word[Conv.TAPS2], f.mul(down, word[Conv.ABREAST])), word[Conv.ABREAST])
            pixels = f.smin(f.sub(word[Conv.STEPS], f.mul(across, per_step)), per_step)
            numbers = _ones(f, f.mul(lines, word[Conv.CHANNELS_IN]))
            each = f.binary("udiv", _ones(f, f.mul(pixels, self.pixel)), _ones(f, self.pixel))
            f.store(f.mul(numbers, each), f.gep(self.masks, entry.index, "i64"), 8)


def _ones(f: Function, count: V) -> V:
    """A word with so many low bits, 1 to 64."""
    return f.binary("lshr", int_(-1), f.sub(int_(64), count))
