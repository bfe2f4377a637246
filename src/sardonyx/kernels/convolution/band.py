"""The loops of one convolution around micro-kernels on matrix registers.

A band of input pixels is split into the numbers of registers, all channels of a pixel side by side, and is
then read by each tap. Decides bands; must not know threads.
"""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.choose import GAP
from sardonyx.kernels.convolution.walk import Block
from sardonyx.kernels.share import ceil_div, evenly, new_words, set_word
from sardonyx.kernels.tiles.matrix import SPARE_BYTES, MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.kernels.tiles.split import define_split_blocks
from sardonyx.llvm import matrix
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_


class BandBlock(Block):
    """Writes the function, for one group; the registers are to be configured.

    Attributes:
        pixel: how many elements of the input a pixel is.
    """

    suffix, a_type = "", "float"

    def __init__(self, module: Module, goal: Goal, tile: MatrixTile) -> None:
        self.matrix, self.prefix = MatrixShape(tile), f"{tile.name}_{self.suffix}"
        self.pixel = goal.target.channel_block
        self.narrow = tile.instruction.narrow if tile.terms == 1 else ""
        super().__init__(module, replace(TileShape.of(goal, tile.operand), max_rows=self.matrix.rows))

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        block = self.shape.block
        names = (define_split_blocks(module, self.matrix, block, careful=c) for c in (False, True))
        self.split = [V(f"@{name}", "ptr") for name in names]

    def configure(self, f: Function, args: V) -> None:
        """Take the registers into use, in a function that is called with these arguments."""
        del args
        matrix.configure(f, self.matrix.tile.instruction)

    def _measure_band(self) -> None:
        """How long sums are, and how pixels lie in the band."""
        f, shape, word = self.f, self.matrix, self.word
        self.register_steps = ceil_div(f, word[Conv.CHANNELS_IN], int_(shape.k_step))
        self.plane = f.mul(self.register_steps, int_(shape.tile.row_bytes))
        self.pitch = f.add(f.mul(self.plane, int_(len(shape.held))), int_(GAP))
        self.steps = f.mul(f.mul(self.register_steps, self.inner), int_(shape.k_step))

    def _choose_blocks(self) -> None:
        """As many lines as have their band of input in L2 beside two panels of weights; at least one tile."""
        f, word, planes = self.f, self.word, self.matrix.planes
        self._measure_band()
        self.is_cut = int_(0, "i1")
        each = int_(planes * self.matrix.number_bytes)
        weights = f.mul(f.mul(self.steps, each), int_(2 * self.shape.columns))
        budget = f.sub(f.mul(f.binary("udiv", word[Conv.L2_BYTES], int_(4)), int_(3)), weights)
        touched = f.add(f.mul(self.plane, int_(planes)), int_(GAP))
        fitting = self._fitting_tiles(f.binary("sdiv", budget, touched))
        tiles = f.sub(self.s1, self.s0)
        self.tiles_per_block = evenly(f, tiles, f.smax(fitting, int_(1)))
        single = f.icmp("eq", self.tiles_per_block, int_(1))
        self.in_one_line = f.binary("or", single, f.icmp("eq", word[Conv.LINES], int_(1)))

    def _fitting_tiles(self, pixels: V) -> V:
        """Tiles whose band has so many pixels: of one line, or of whole lines and one that blocks share."""
        f, word = self.f, self.word
        rows_apart = f.icmp("sgt", word[Conv.TAPS2], int_(1))
        self.unit = f.select(rows_apart, word[Conv.X_TAP2], word[Conv.X_LINE])
        self.rows_per_line = f.binary("udiv", word[Conv.X_LINE], f.smax(self.unit, int_(1)))
        row = self._width_of(word[Conv.PIXELS])
        rows = f.sub(f.binary("sdiv", pixels, row), word[Conv.TAPS2])
        lines = f.smax(f.binary("sdiv", rows, f.smax(self.rows_per_line, int_(1))), int_(0))
        paired = f.icmp("eq", self.tiles.lines, int_(2))
        whole = f.select(paired, f.binary("udiv", lines, int_(2)), f.mul(lines, self.tiles.pixels.parts))
        of_one = f.binary("sdiv", pixels, f.mul(self._width_of(int_(self.shape.max_rows)), word[Conv.TAPS2]))
        return f.select(f.icmp("eq", word[Conv.LINES], int_(1)), of_one, whole)

    def _width_of(self, outputs: V) -> V:
        """Pixels of a row of the band that so many outputs of a line read."""
        f, word = self.f, self.word
        far = f.mul(f.sub(outputs, int_(1)), word[Conv.X_PIXEL])
        far = f.add(far, f.mul(f.sub(word[Conv.TAPS3], int_(1)), word[Conv.X_TAP3]))
        return f.add(f.binary("udiv", far, int_(self.pixel)), int_(1))

    def _make_tile_words(self) -> None:
        f, shape = self.f, self.shape
        spare = f.gep(self.sums, int_(STRIP_TILES * shape.tile_bytes), "i8")
        self.band = f.gep(spare, int_(SPARE_BYTES), "i8")
        self.row = self._in_band(self.word[Conv.X_PIXEL])
        words: dict[int, V] = {
            MatrixWords.A_ROW: self.row,
            MatrixWords.A_LOW: self.plane,
            MatrixWords.TILE_ROW: int_(shape.panel_row_bytes),
        }
        self.descriptor = RegisterDescriptor.of(f, self.matrix, words, spare)
        self.descriptor.point({MatrixWords.TABLE: self.table})
        self.split_words = new_words(f, {}, 5)

    def _in_band(self, elements: V) -> V:
        """Bytes in the band of what are so many elements of the input, whole pixels."""
        return self.f.mul(self.f.binary("udiv", elements, int_(self.pixel)), self.pitch)

    def _fill_table(self, first: V, count: V) -> None:
        """Nothing: entries depend on the band of a block."""

    def _fill_entries(self, row_bytes: V) -> None:
        """Write the table of all taps, the last running fastest."""
        f, word = self.f, self.word
        self.descriptor.set({MatrixWords.ENTRIES: self.inner})
        with f.loop(int_(0), self.inner) as entry:
            row = f.binary("udiv", entry.index, word[Conv.TAPS3])
            column = f.binary("urem", entry.index, word[Conv.TAPS3])
            at = f.add(f.mul(row, row_bytes), self._in_band(f.mul(column, word[Conv.X_TAP3])))
            f.store(at, f.gep(self.table, entry.index, "i64"), 8)

    def _begin_block(self) -> None:
        """Split the band of the block; once more, and with care, if it holds what has no two parts."""
        f, word, cut = self.f, self.word, self.tiles.pixels
        index, self.first_line = self._first_tile()
        last = f.mul(f.binary("udiv", f.sub(self.high, int_(1)), cut.parts), self.tiles.lines)
        end = f.smin(f.add(last, self.tiles.lines), word[Conv.LINES])
        self.first_pixel = f.select(self.in_one_line, cut.begin(f, index), int_(0))
        stop = cut.begin(f, f.add(index, f.sub(self.high, self.low)))
        stop = f.select(self.in_one_line, stop, word[Conv.PIXELS])
        width = self._width_of(f.sub(stop, self.first_pixel))
        row_bytes = self._row_bytes(width)
        self.line_bytes = f.mul(self.rows_per_line, row_bytes)
        self._fill_entries(row_bytes)
        lines = f.sub(f.sub(end, self.first_line), int_(1))
        rows = f.add(f.mul(lines, self.rows_per_line), word[Conv.TAPS2])
        begin = f.mul(self.first_line, word[Conv.X_LINE])
        begin = f.add(begin, f.mul(self.first_pixel, word[Conv.X_PIXEL]))
        source = f.gep(self.x, begin, self.a_type)
        self._tell_split()
        usual, *careful = self.split
        special = self._split(usual, source, rows, width, row_bytes)
        for function in careful:
            with f.when(f.icmp("ne", special, int_(0))):
                self._split(function, source, rows, width, row_bytes)
        self.descriptor.set_finite(MatrixWords.A_FINITE, self.plane, special)

    def _row_bytes(self, width: V) -> V:
        """Bytes of a row of so many pixels of the band."""
        return self.f.mul(width, self.pitch)

    def _tell_split(self) -> None:
        """Set the words of the functions that split a row."""
        f, word = self.f, self.word
        far = f.mul(word[Conv.X_CHANNEL], int_(size_of(self.a_type)))
        words = self.pitch, self.plane, far, word[Conv.CHANNELS_IN], self.parts.count
        for n, value in enumerate(words):
            set_word(f, self.split_words, n, value)

    def _split(self, function: V, source: V, rows: V, width: V, row_bytes: V) -> V:
        f = self.f
        apart = f.mul(self.unit, int_(size_of(self.a_type)))
        with f.loop(int_(0), rows, 1, [self.band, source, int_(0)]) as row:
            into, out_of, found = row.carried
            words = ", ".join(map(str, (into, out_of, width, self.split_words)))
            special = f.value("i64", f"call i64 {function.text}({words})")
            row.next(f.gep(into, row_bytes, "i8"), f.gep(out_of, apart, "i8"), f.binary("or", found, special))
        return row.carried[2]

    def _sum_panel(self, narrow: V) -> None:
        f, matrix = self.f, self.matrix
        self.descriptor.set_panel(narrow, matrix.planes)
        self.by_rows = [f.select(narrow, *pair) for pair in self.kernels]
        self.passes_on = int_(1, "i1")
        wide = int_(self.shape.columns)
        following = f.add(self.channel, wide)
        end = f.smin(f.mul(self.p1, wide), self.padded)
        follows = f.icmp("sle", f.add(following, wide), end)
        steps = f.mul(self.register_steps, self.inner)
        tiles = f.sub(self.high, self.low)
        ahead = self.descriptor.ahead(self._weights(following), follows, tiles, steps)
        self._strips(self._weights(self.channel), ahead)

    def _weights(self, channel: V) -> V:
        """The panel of weights that begins with that channel."""
        f, each = self.f, int_(self.matrix.planes * self.matrix.number_bytes)
        before = f.add(f.mul(self.group, self.padded), channel)
        return f.gep(f.word(self.args, Conv.W, "ptr"), f.mul(f.mul(before, self.steps), each), "i8")

    def _tile(self, number: V, line: V, index: V, b: V, ahead: V, tile: V) -> V:
        f, word, cut = self.f, self.word, self.tiles.pixels
        del number
        lines = f.smin(f.sub(word[Conv.LINES], line), self.tiles.lines)
        two = f.icmp("eq", lines, int_(2))
        pixels = cut.size(f, index)
        at = f.mul(f.sub(line, self.first_line), self.line_bytes)
        pixel = f.sub(cut.begin(f, index), self.first_pixel)
        a = f.gep(self.band, f.add(at, f.mul(pixel, self.row)), "i8")
        rows = int_(self.matrix.tile.rows)
        below = f.select(two, self.line_bytes, f.mul(rows, self.row))
        after = f.mul(f.select(two, pixels, rows), int_(self.shape.panel_row_bytes))
        self.descriptor.set({MatrixWords.A_HALF: below, MatrixWords.TILE_HALF: after})
        self.descriptor.point({MatrixWords.AHEAD: ahead})
        count = f.mul(pixels, lines)
        one = f.binary("and", f.icmp("eq", lines, int_(1)), f.icmp("sle", pixels, rows))
        self.descriptor.sum(f.select(one, *self.by_rows), a, b, self.register_steps, tile)
        return count
