"""The loops of one convolution around micro-kernels on matrix registers.

A band of input pixels is split into the numbers of registers and is then read by each tap. A step of channels
is a row of lines of pixels, each in phases: every n-th pixel where outputs are n apart, so that a tap reads
neighbours. Decides bands; must not know threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.choose import GAP
from sardonyx.kernels.convolution.walk import TILE_WORDS, Block, Tiles
from sardonyx.kernels.share import ceil_div, evenly, new_words, set_word
from sardonyx.kernels.tiles.matrix import (
    ACROSS,
    OF_A,
    OF_SUMS,
    SPARE_BYTES,
    MatrixShape,
    MatrixWords,
    kernels,
)
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, prefetch
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.kernels.tiles.shape import BY_LEFT, STRIP_TILES, TileShape
from sardonyx.kernels.tiles.split import define_split_blocks, define_split_weights
from sardonyx.llvm import matrix
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_


def _register_rows(f: Function, tiles: Tiles) -> V:
    half = ceil_div(f, tiles.pixels.largest(f), int_(ACROSS))
    return f.select(f.icmp("eq", tiles.lines, int_(ACROSS)), tiles.pixels.total, half)


class BandBlock(Block):
    """Writes the function, for one group; the registers are to be configured.

    `with_rows` are the registers that have the rows of A, `spare_bytes` room for a micro-kernel,
    `split_word_count` words of what splits a row.

    Attributes, set by `_load_words`: whether lines run on; lines of taps of a row of the band, and pixels
    that taps reach further in it then. Set by `_measure_band`: the steps of a tap, those of k of a sum;
    pixels of the input between two outputs, between those of a phase, and how many phases there are; bytes of
    a pixel of the band, and between those of two outputs.
    """

    suffix, a_type = "", "float"
    with_rows: Sequence[int] = (*OF_SUMS, *OF_A)
    spare_bytes, split_word_count = SPARE_BYTES, 6

    def __init__(self, module: Module, goal: Goal, tile: MatrixTile) -> None:
        self.matrix, self.prefix = MatrixShape(tile), f"{tile.name}_{self.suffix}"
        self.narrow = tile.instruction.narrow if tile.terms == 1 else ""
        self.split_weights: list[V] = []
        super().__init__(module, replace(TileShape.of(goal, BY_LEFT[dt.F32]), max_rows=self.matrix.rows))

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        block = self.shape.block
        names = (define_split_blocks(module, self.matrix, block, careful=c) for c in (False, True))
        self.split = [V(f"@{name}", "ptr") for name in names]
        if self.matrix.in_pairs:
            names = (define_split_weights(module, self.matrix, n) for n in range(1, ACROSS + 1))
            self.split_weights = [V(f"@{name}", "ptr") for name in names]

    def configure(self, f: Function, args: V) -> None:
        """Take the registers into use, in a function that is called with these arguments."""
        matrix.configure(f, self.matrix.tile.instruction, self._rows(f, args))

    def _rows(self, f: Function, args: V) -> dict[int, V]:
        """The rows of registers: the pixels of a line, or half of those of the largest tile of a long one."""
        tiles = Tiles.of(f, self.shape, {w: f.word(args, w) for w in TILE_WORDS})
        return dict.fromkeys(self.with_rows, _register_rows(f, tiles))

    def _load_words(self) -> None:
        super()._load_words()
        f, word = self.f, self.word
        self.runs_on = f.icmp("ne", word[Conv.WRAP], int_(0))
        self.taps_down = f.select(self.runs_on, int_(1), word[Conv.TAPS2])
        down = f.mul(f.sub(word[Conv.TAPS2], int_(1)), word[Conv.X_TAP2])
        self.reach = f.select(self.runs_on, self._pixels_in(down), int_(0))

    def _measure_band(self) -> None:
        f, shape, word = self.f, self.matrix, self.word
        across = f.icmp("sgt", word[Conv.TAPS3], int_(1))
        self.apart = self._pixels_in(word[Conv.X_PIXEL])
        self.stride = f.smax(self.apart, int_(1))
        self.phases = f.select(across, self.stride, int_(1))
        self.register_steps = ceil_div(f, word[Conv.CHANNELS_IN], int_(shape.k_step))
        self.steps = f.mul(f.mul(self.register_steps, self.inner), int_(shape.k_step))
        self.pixel = int_(shape.tile.row_bytes)
        self.row = f.select(f.icmp("eq", self.apart, int_(0)), int_(0), self.pixel)

    def _choose_blocks(self) -> None:
        """As many lines as have their band of input in L2 beside the weights; at least one tile.

        Small weights stay there, so that a band may be small too: input and output pass by. Large ones are
        read anew for each band, a panel at a time.
        """
        f, word, planes = self.f, self.word, self.matrix.planes
        self._measure_band()
        self.is_cut = int_(0, "i1")
        column = f.mul(self.steps, int_(planes * self.matrix.number_bytes))
        quarter = f.binary("udiv", word[Conv.L2_BYTES], int_(4))
        self.is_small = f.icmp("sle", f.mul(column, self.padded), f.mul(quarter, int_(2)))
        beside = f.sub(f.mul(quarter, int_(3)), f.mul(column, int_(self.shape.columns)))
        beside = f.smax(beside, f.mul(quarter, int_(2)))
        budget = f.select(self.is_small, f.binary("udiv", quarter, int_(2)), beside)
        touched = f.mul(f.mul(self.register_steps, int_(planes)), self.pixel)
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
        apart = f.binary("udiv", word[Conv.X_LINE], f.smax(self.unit, int_(1)))
        self.rows_per_line = f.smax(apart, int_(1))
        row = f.mul(self._pixels_of(word[Conv.PIXELS]), self.phases)
        rows = f.sub(f.binary("sdiv", pixels, row), self.taps_down)
        lines = f.smax(f.binary("sdiv", rows, self.rows_per_line), int_(0))
        paired = f.icmp("eq", self.tiles.lines, int_(2))
        whole = f.select(paired, f.binary("udiv", lines, int_(2)), f.mul(lines, self.tiles.pixels.parts))
        single = f.mul(self._pixels_of(int_(self.shape.max_rows)), self.phases)
        of_one = f.binary("sdiv", pixels, f.mul(single, self.taps_down))
        return f.select(f.icmp("eq", word[Conv.LINES], int_(1)), of_one, whole)

    def _width_of(self, outputs: V) -> V:
        """Pixels of the input from the first to the last that so many outputs of a line read."""
        f, word = self.f, self.word
        taps = f.mul(f.sub(word[Conv.TAPS3], int_(1)), word[Conv.X_TAP3])
        far = f.add(f.mul(f.sub(outputs, int_(1)), self.apart), self._pixels_in(taps))
        return f.add(f.add(far, self.reach), int_(1))

    def _pixels_of(self, outputs: V) -> V:
        """Pixels of the largest phase of a line of the band for so many outputs."""
        return ceil_div(self.f, self._width_of(outputs), self.stride)

    def _pixels_in(self, elements: V) -> V:
        return self.f.binary("udiv", elements, int_(self.shape.block))

    def _make_tile_words(self) -> None:
        f, shape = self.f, self.shape
        spare = f.gep(self.sums, int_(STRIP_TILES * shape.tile_bytes), "i8")
        self.panel = f.gep(spare, int_(self.spare_bytes), "i8")
        self.floats = f.icmp("ne", self.word[Conv.FLOATS], int_(0))
        room = f.mul(self.steps, int_(self.matrix.planes * self.matrix.number_bytes * self.shape.columns))
        self.band = f.gep(self.panel, f.select(self.floats, room, int_(0)), "i8")
        words: dict[int, V] = {
            MatrixWords.A_ROW: self.row,
            MatrixWords.TILE_ROW: int_(shape.panel_row_bytes),
        }
        self.descriptor = RegisterDescriptor.of(f, self.matrix, words, spare)
        self.descriptor.point({MatrixWords.TABLE: self.table})
        self.register_rows = _register_rows(f, self.tiles)
        outputs = f.mul(f.mul(self.word[Conv.LINES], self.word[Conv.PIXELS]), self.padded)
        half = f.binary("udiv", self.word[Conv.L2_BYTES], int_(2))
        are_far = f.icmp("sgt", f.mul(outputs, int_(shape.element)), half)
        known = f.binary("and", self.end.unfused, f.binary("xor", self.plain, int_(1, "i1")))
        keeps = f.icmp("ne", self.word[Conv.KEPT], int_(0))
        self.kept = f.select(keeps, f.word(self.args, Conv.KEPT, "ptr"), new_words(f, {}, 2))
        whole = f.smax(self.word[Conv.PIXELS], int_(1))
        self.width, self.pitch = (
            f.select(self.runs_on, self.word[word], whole) for word in (Conv.WRAP, Conv.WRAP_PITCH)
        )
        known = f.binary("and", known, f.binary("xor", f.binary("or", keeps, self.runs_on), int_(1, "i1")))
        self.asks = f.binary("and", known, are_far)
        self.may_be_direct, self.direct = known, int_(0, "i1")
        self.split_words = new_words(f, {}, self.split_word_count)

    def _fill_table(self, first: V, count: V) -> None:
        """Nothing: entries depend on the band of a block."""

    def _fill_entries(self, row_bytes: V, phase_bytes: V) -> None:
        """Write the table of all taps, the last running fastest."""
        f, word = self.f, self.word
        running = f.mul(self._pixels_in(word[Conv.X_TAP2]), self.pixel)
        row_bytes = f.select(self.runs_on, running, row_bytes)
        self.descriptor.set({MatrixWords.ENTRIES: self.inner})
        with f.loop(int_(0), self.inner) as entry:
            row = f.binary("udiv", entry.index, word[Conv.TAPS3])
            column = f.binary("urem", entry.index, word[Conv.TAPS3])
            pixel = self._pixels_in(f.mul(column, word[Conv.X_TAP3]))
            phase = f.mul(f.binary("urem", pixel, self.stride), phase_bytes)
            within = f.mul(f.binary("udiv", pixel, self.stride), self.pixel)
            at = f.add(f.mul(row, row_bytes), f.add(phase, within))
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
        outputs = f.sub(stop, self.first_pixel)
        phase_bytes = f.mul(self._pixels_of(outputs), self.pixel)
        row_bytes = f.mul(phase_bytes, self.phases)
        self.line_bytes = f.mul(self.rows_per_line, row_bytes)
        self._fill_entries(row_bytes, phase_bytes)
        lines = f.sub(f.sub(end, self.first_line), int_(1))
        rows = f.add(f.mul(lines, self.rows_per_line), self.taps_down)
        begin = f.mul(self.first_line, word[Conv.X_LINE])
        begin = f.add(begin, f.mul(self.first_pixel, word[Conv.X_PIXEL]))
        source = f.gep(self.x, begin, self.a_type)
        step = f.add(f.mul(rows, row_bytes), int_(GAP))
        plane = f.mul(step, self.register_steps)
        self.descriptor.set({MatrixWords.A_STEP: step, MatrixWords.A_LOW: plane})
        self._tell_split(step, plane)
        self._split_band(source, rows, self._width_of(outputs), phase_bytes)
        self.descriptor.set_finite(MatrixWords.A_FINITE, plane, f.word(self.kept, 1))

    def _split_band(self, *how: V) -> None:
        """Split rows, unless those of the call before serve, and note whether any is special."""
        f = self.f
        is_all = f.icmp("sle", f.sub(self.s1, self.s0), self.tiles_per_block)
        is_there = f.binary("and", is_all, f.icmp("ne", f.word(self.kept, 0), int_(0)))
        with f.when(f.binary("xor", is_there, int_(1, "i1"))):
            usual, *careful = self.split
            special = self._split(usual, *how)
            for function in careful:
                with f.when(f.icmp("ne", special, int_(0))):
                    self._split(function, *how)
            set_word(f, self.kept, 1, special)

    def _tell_split(self, step: V, plane: V) -> None:
        """Set the words of the functions that split a phase of a row."""
        f, word = self.f, self.word
        pitch = f.mul(self.stride, int_(self.shape.block * size_of(self.a_type)))
        far = f.mul(word[Conv.X_CHANNEL], int_(size_of(self.a_type)))
        words = step, plane, pitch, far, word[Conv.CHANNELS_IN], self.parts.count
        for n, value in enumerate(words):
            set_word(f, self.split_words, n, value)

    def _split(self, function: V, source: V, rows: V, width: V, phase_bytes: V) -> V:
        """Split rows of so many pixels, phase by phase."""
        f = self.f
        apart = f.mul(self.unit, int_(size_of(self.a_type)))
        pixel = self.shape.block * size_of(self.a_type)
        with f.loop(int_(0), rows, 1, [self.band, source, int_(0)]) as row:
            into, out_of, found = row.carried
            with f.loop(int_(0), self.phases, 1, [into, found]) as phase:
                begin = f.gep(out_of, f.mul(phase.index, int_(pixel)), "i8")
                pixels = ceil_div(f, f.sub(width, phase.index), self.stride)
                words = ", ".join(map(str, (phase.carried[0], begin, pixels, self.split_words)))
                special = f.value("i64", f"call i64 {function.text}({words})")
                after = f.gep(phase.carried[0], phase_bytes, "i8")
                phase.next(after, f.binary("or", phase.carried[1], special))
            row.next(phase.carried[0], f.gep(out_of, apart, "i8"), phase.carried[1])
        return row.carried[2]

    def _sum_panel(self, narrow: V) -> None:
        f, matrix = self.f, self.matrix
        self.descriptor.set_panel(narrow, matrix.planes)
        self._choose_kernels(narrow)
        wide = int_(self.shape.columns)
        following = f.add(self.channel, wide)
        end = f.smin(f.mul(self.p1, wide), self.padded)
        follows = f.icmp("sle", f.add(following, wide), end)
        are_near = f.binary("and", self.is_small, f.icmp("ne", self.low, self.s0))
        follows = f.binary("and", follows, f.binary("xor", are_near, int_(1, "i1")))
        steps = f.mul(self.register_steps, self.inner)
        tiles = f.sub(self.high, self.low)
        size = f.mul(self._number_bytes(), int_(matrix.k_step * self.shape.columns))
        ahead = self.descriptor.ahead(self._weights(following), follows, tiles, steps, size)
        b = self._begin_panel(self._weights(self.channel), narrow)
        self.passes_on = f.binary("xor", self.direct, int_(1, "i1"))
        if self.split_weights:
            with f.when(self.floats):
                end = self._weights(f.smin(f.mul(self.p1, wide), self.padded))
                last = f.gep(end, int_(-CACHE_LINE), "i8")
                f.call_pointer(f.select(narrow, *self.split_weights), self.panel, b, steps, last)
            b = f.select(self.floats, self.panel, b)
        self._strips(b, ahead)

    def _choose_kernels(self, narrow: V) -> None:
        self.by_rows = [self.f.select(narrow, *pair) for pair in self.kernels]

    def _begin_panel(self, b: V, narrow: V) -> V:
        """Where the first step of a panel is."""
        del narrow
        return b

    def _column_bytes(self) -> V:
        """Bytes of all weights of an output."""
        return self.f.mul(self.steps, self._number_bytes())

    def _number_bytes(self) -> V:
        """Bytes of one weight: of a float, or of all its parts."""
        parts = int_(self.matrix.planes * self.matrix.number_bytes)
        return self.f.select(self.floats, int_(self.shape.element), parts)

    def _ask_for_results(self, line: V, pixel: V, pixels: V, lines: V) -> None:
        """Ask for the cache lines that the end of a tile writes and those of the residual, if `asks`."""
        f, word, block = self.f, self.word, self.shape.block
        blocks = f.select(self.asks, ceil_div(f, self.columns, int_(block)), int_(0))
        for operand, present in (("Y", int_(1, "i1")), ("R", self.end.has_residual)):
            count = f.select(present, blocks, int_(0))
            pitch = f.mul(word[Conv[f"{operand}_PIXEL"]], int_(self.shape.element))
            with f.loop(int_(0), count) as each, f.loop(int_(0), lines) as down:
                channel = f.add(self.first_channel, f.mul(each.index, int_(block)))
                at = self.outputs.place(operand, f.add(line, down.index), pixel, channel).address
                with f.loop(int_(0), pixels, 1, [at]) as across:
                    prefetch(f, across.carried[0], 2)
                    across.next(f.gep(across.carried[0], pitch, "i8"))

    def _weights(self, channel: V) -> V:
        """The panel of weights that begins with that channel."""
        f = self.f
        before = f.add(f.mul(self.group, self.padded), channel)
        return f.gep(f.word(self.args, Conv.W, "ptr"), f.mul(before, self._column_bytes()), "i8")

    def _tile(self, number: V, line: V, index: V, b: V, ahead: V, tile: V) -> V:
        f, word, cut = self.f, self.word, self.tiles.pixels
        del number
        lines = f.smin(f.sub(word[Conv.LINES], line), self.tiles.lines)
        two = f.icmp("eq", lines, int_(2))
        pixels = cut.size(f, index)
        at = f.mul(f.sub(line, self.first_line), self.line_bytes)
        pixel = f.sub(cut.begin(f, index), self.first_pixel)
        a = f.gep(self.band, f.add(at, f.mul(pixel, self.row)), "i8")
        rows = self.register_rows
        below = f.select(two, self.line_bytes, f.mul(rows, self.row))
        after = f.mul(f.select(two, pixels, rows), int_(self.shape.panel_row_bytes))
        self.descriptor.set({MatrixWords.A_HALF: below, MatrixWords.TILE_HALF: after})
        self.descriptor.point({MatrixWords.AHEAD: ahead})
        self._begin_tile(a, below)
        self._ask_for_results(line, cut.begin(f, index), pixels, lines)
        count = f.mul(pixels, lines)
        one = f.binary("and", f.icmp("eq", lines, int_(1)), f.icmp("sle", pixels, rows))
        to = self._aim(line, cut.begin(f, index), (lines, pixels), tile)
        self.descriptor.sum(f.select(one, *self.by_rows), a, b, self.register_steps, to)
        return count

    def _aim(self, line: V, pixel: V, size: tuple[V, V], tile: V) -> V:
        """Where the sums of a tile of so many lines and pixels go, which begins there: to scratch, `tile`."""
        del line, pixel, size
        return tile

    def _pass_on_line(self, sums: V, line: V, pixel: V, pixels: V) -> None:
        """Pass on some pixels, part by part where they belong to several lines of results."""
        f, end = self.f, self.f.add(pixel, pixels)
        first, last = (f.binary("udiv", n, self.pitch) for n in (pixel, f.sub(end, int_(1))))
        with f.loop(first, f.add(last, int_(1))) as part:
            before = f.mul(part.index, self.pitch)
            begin, stop = f.smax(pixel, before), f.smin(end, f.add(before, self.width))
            at = f.mul(f.sub(begin, pixel), int_(self.shape.panel_row_bytes))
            own = f.gep(sums, at, "i8"), f.add(line, part.index), f.sub(begin, before), f.sub(stop, begin)
            with f.when(f.icmp("slt", begin, stop)):
                super()._pass_on_line(*own)

    def _begin_tile(self, a: V, below: V) -> None:
        """What a micro-kernel is told of rows of A beside where they are: those of its second register."""
