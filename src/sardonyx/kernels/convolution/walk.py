"""The loops of one convolution around the micro-kernels: pixel tiles, panels of channels, cuts of the taps.

Decides blocking and tap tables; must not know threads, or where pixels end up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.kernels import scratch
from sardonyx.kernels.arguments import GATED, LEAKY, Conv
from sardonyx.kernels.convolution.outputs import Channels, Outputs
from sardonyx.kernels.convolution.parts import Parts
from sardonyx.kernels.convolution.reach import Reach
from sardonyx.kernels.share import Cut, ceil_div, evenly, round_up, set_word
from sardonyx.kernels.tiles.ahead import Ahead, Run
from sardonyx.kernels.tiles.descriptor import Descriptors, second_half
from sardonyx.kernels.tiles.microkernel import Mode, TileWords
from sardonyx.kernels.tiles.pick import GEMV_ROWS, define_pick, picked
from sardonyx.kernels.tiles.repack import define_copy
from sardonyx.kernels.tiles.shape import STRIP_TILES, TileShape
from sardonyx.kernels.tiles.strips import Lines, Strip, Strips
from sardonyx.kernels.tiles.tall import tall_rows
from sardonyx.llvm.vec import Function, Module, V, int_

_CUT_BYTES = 256 << 10
"""Weights of one panel that stay in L2 while they are used by all tiles of a block."""


TILE_WORDS = Conv.LINES, Conv.PIXELS, Conv.ALONE, Conv.TALL
"""What `Tiles.of` reads."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a sample is cut: `lines` output lines per tile (1 or 2), and the pixels of a line.

    `are_tall` if they are of one vector, with at most so many `rows`.
    """

    lines: V
    pixels: Cut
    count: V
    are_tall: V
    rows: V

    @staticmethod
    def of(f: Function, shape: TileShape, word: Mapping[Conv, V]) -> Tiles:
        """Two short lines share a tile unless they are ALONE; a long line is cut into balanced tiles."""
        lines, pixels = word[Conv.LINES], word[Conv.PIXELS]
        tall = f.icmp("ne", word[Conv.TALL], int_(0))
        rows = f.select(tall, int_(tall_rows(shape)), int_(shape.max_rows))
        short = f.icmp("sle", f.mul(pixels, int_(2)), rows)
        paired = f.binary("and", short, f.icmp("eq", word[Conv.ALONE], int_(0)))
        per_tile = f.select(paired, int_(2), int_(1))
        cut = Cut.of(f, pixels, f.smax(ceil_div(f, pixels, rows), int_(1)))
        return Tiles(per_tile, cut, f.mul(ceil_div(f, lines, per_tile), cut.parts), tall, rows)


def define_block(module: Module, shape: TileShape) -> str:
    """Add `void @conv_block_*(args, ctx, outer, p0, p1, s0, s1)`.

    Computes tiles s0..s1 of panels p0..p1 of sample and group `outer` = sample * GROUPS + group; all ranges
    are non-empty. Returns the name.
    """
    block = Block(module, shape)
    block.write()
    return block.f.name


class Block:
    """Writes the function; attributes are its run-time values, set in the order of the loops.

    `prefix` is what names say before the operands, `a_type` the type of the input if it is not theirs,
    `narrow` what rounds results, if it is asked to.
    """

    def __init__(self, module: Module, shape: TileShape) -> None:
        self.shape, self.copy = shape, define_copy(module, shape)
        self._define_parts(module)
        params = [("args", "ptr"), ("ctx", "ptr"), *((n, "i64") for n in ("outer", "p0", "p1", "s0", "s1"))]
        name = f"conv_block_{self.prefix}{shape.operand}"
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.args, self.ctx, self.outer, self.p0, self.p1, self.s0, self.s1 = self.f.params

    prefix, a_type, narrow = "", "", ""
    tiles_per_block: V

    def _define_parts(self, module: Module) -> None:
        self.pick = define_pick(module, self.shape)

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._lay_out_scratch()
        self._load_words()
        self._choose_blocks()
        self._make_tile_words()
        with f.when(f.binary("xor", self.is_cut, int_(1, "i1"))):
            self._fill_table(int_(0), self.entries)
        with f.loop(self._first_block(), self.s1, self.tiles_per_block) as block:
            self.low = f.smax(block.index, self.s0)
            self.high = f.smin(f.add(block.index, self.tiles_per_block), self.s1)
            self._begin_block()
            with f.loop(self.p0, self.p1) as panel:
                self._panel(panel.index)
        f.ret()
        f.finish()

    def _first_block(self) -> V:
        """The tile that the first block begins with, of which those before the range are left out."""
        return self.s0

    def _begin_block(self) -> None:
        """What tiles of all panels need."""

    def _load_words(self) -> None:
        f, shape = self.f, self.shape
        self.word = word = {w: f.word(self.args, w) for w in Conv if w > Conv.EPILOGUE}
        self.sample = f.binary("udiv", self.outer, word[Conv.GROUPS])
        self.group = f.binary("urem", self.outer, word[Conv.GROUPS])
        self.parts = Parts(f, shape, self.args, word, self.group)
        at = f.add(f.mul(self.sample, word[Conv.X_BATCH]), f.mul(self.parts.first, word[Conv.X_CHANNEL]))
        self.x = f.gep(f.word(self.args, Conv.X, "ptr"), at, self.a_type or shape.a_type)
        self.inner = f.mul(f.mul(word[Conv.TAPS1], word[Conv.TAPS2]), word[Conv.TAPS3])
        self.entries = f.mul(self.inner, self.parts.count)
        self.all_entries = f.add(self.entries, word[Conv.AGAIN_STEPS])
        self.steps = self._steps_before(self.all_entries)
        channels = word[Conv.CHANNELS]
        self.padded = round_up(f, channels, self.shape.lanes)
        self.w = f.gep(
            f.word(self.args, Conv.W, "ptr"), f.mul(f.mul(self.group, self.padded), self.steps), shape.dtype
        )
        own = f.smin(f.mul(self.p1, int_(shape.columns)), self.padded)
        is_part = f.icmp("ne", word[Conv.PANELS], int_(0))
        self.last_weight = f.mul(f.select(is_part, self.padded, own), self.steps)
        self.outputs = Outputs(f, shape, self.args, word, self.sample, self.copy, self.turned, self.narrow)
        self.end, self.plain = self.outputs.end, self.outputs.plain
        single = f.icmp("eq", word[Conv.GROUPS], int_(1))
        alone = f.binary("or", single, f.icmp("sge", word[Conv.GROUP_PITCH], self.padded))
        blocked = f.binary("xor", self.plain, int_(1, "i1"))
        self.limit = f.select(f.binary("and", alone, blocked), self.padded, channels)
        self.tiles, self.reached = Tiles.of(f, shape, word), Reach(f, word)

    def _steps_before(self, entry: V) -> V:
        """The k steps of the entries before that one; those that are added again are entries behind all."""
        f = self.f
        first, inner = f.smin(entry, self.entries), f.smax(self.inner, int_(1))
        part, rest = f.binary("udiv", first, inner), f.binary("urem", first, inner)
        before = f.mul(self.parts.steps_before(part), self.inner)
        return f.add(f.add(before, f.mul(rest, self.parts.steps(part))), f.sub(entry, first))

    def _choose_blocks(self) -> None:
        """Cut the taps so that one cut of a panel fits L2 twice, then take as many tiles as fit beside it."""
        f, shape, word = self.f, self.shape, self.word
        entry_bytes = f.smax(f.mul(self.parts.most_steps, int_(shape.panel_row_bytes)), int_(1))
        fitting = f.binary("udiv", int_(_CUT_BYTES), entry_bytes)
        fitting = f.smax(f.smin(fitting, int_(scratch.MOST_ENTRIES)), int_(1))
        entries = f.smax(self.all_entries, int_(1))
        self.entries_per_cut = evenly(f, entries, fitting)
        self.is_cut = f.icmp("slt", self.entries_per_cut, self.all_entries)
        weights = f.mul(self.entries_per_cut, entry_bytes)
        lines = f.binary("udiv", f.mul(word[Conv.X_LINE], self.tiles.lines), self.tiles.pixels.parts)
        pixels = f.mul(word[Conv.X_PIXEL], self.tiles.rows)
        planes = f.mul(self.parts.count, int_(shape.operand_bytes))
        one_line = f.icmp("eq", word[Conv.LINES], int_(1))
        tile_bytes = f.smax(f.mul(planes, f.select(one_line, pixels, f.smax(pixels, lines))), int_(1))
        halo = f.mul(planes, f.mul(f.sub(word[Conv.TAPS2], int_(1)), word[Conv.X_TAP2]))
        budget = f.mul(f.binary("udiv", word[Conv.L2_BYTES], int_(4)), int_(3))
        room = f.sub(budget, f.add(f.mul(weights, int_(2)), halo))
        fitting = f.smax(f.binary("sdiv", room, tile_bytes), int_(4))
        sums = (scratch.CONV_SUM_BYTES // n for n in (shape.vectors * shape.tile_bytes, shape.tile_bytes))
        fitting = f.smin(fitting, f.select(self.tiles.are_tall, *map(int_, sums)))
        tiles = f.sub(self.s1, self.s0)
        self.tiles_per_block = evenly(f, tiles, fitting)

    def _lay_out_scratch(self) -> None:
        """The table of taps, a transposed strip, then sums of tiles."""
        f = self.f
        self.table = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.turned = f.gep(self.table, int_(scratch.TABLE_BYTES), "i8")
        self.sums = f.gep(self.turned, int_(scratch.TURNED_BYTES), "i8")

    def _make_tile_words(self) -> None:
        """One descriptor for tiles in scratch, one for tiles that go to Y at once."""
        f, shape, word = self.f, self.shape, self.word
        read = int_(shape.operand_bytes)
        self.row, self.line = (f.mul(word[w], read) for w in (Conv.X_PIXEL, Conv.X_LINE))
        sample = f.mul(f.mul(self.parts.count, word[Conv.X_CHANNEL]), read)
        is_blocked = f.icmp("eq", word[Conv.STEPS], int_(0))
        is_far = f.binary("and", is_blocked, f.icmp("sgt", sample, word[Conv.L2_BYTES]))
        words: dict[int, V] = {
            TileWords.TABLE: self.table,
            TileWords.ROW: self.row,
            TileWords.FAR: f.convert("zext", is_far, "i64"),
        }
        in_scratch: dict[int, V] = {
            TileWords.TILE_ROW: int_(shape.panel_row_bytes),
            TileWords.TILE_VECTOR: int_(shape.panel_row_bytes // 2),
        }
        gated, leaky = (f.icmp("eq", word[Conv.FINISH], int_(how)) for how in (GATED, LEAKY))
        mode = self.end.mode(int_(Mode.STORE))
        to_y: dict[int, V] = {
            **self.end.limits,
            TileWords.TILE_ROW: self._bytes(word[Conv.Y_PIXEL]),
            TileWords.TILE_VECTOR: self._bytes(self._vector_stride(Conv.Y_BLOCK)),
            TileWords.RESIDUAL_ROW: self._bytes(word[Conv.R_PIXEL]),
            TileWords.RESIDUAL_VECTOR: self._bytes(self._vector_stride(Conv.R_BLOCK)),
            TileWords.MODE: f.select(gated, int_(Mode.GATE), f.select(leaky, int_(Mode.LEAK), mode)),
            **{TileWords[name]: word[Conv[name]] for name in ("SLOPE", "SHIFT", "SCALE", "OFFSET")},
        }
        self.descriptors = Descriptors.of(f, words, in_scratch, to_y)
        kept = f.binary("or", self.plain, self.is_cut)
        alone = f.binary("or", self.end.unfused, f.binary("or", gated, leaky))
        self.may_be_direct = f.binary("and", alone, f.binary("xor", kept, int_(1, "i1")))

    def _bytes(self, elements: V) -> V:
        return self.f.mul(elements, int_(self.shape.element))

    def _vector_stride(self, block: Conv) -> V:
        return self.word[block] if self.shape.lanes >= self.shape.block else int_(self.shape.lanes)

    def _fill_table(self, first: V, count: V) -> None:
        """Write the table of entries first..first+count, none of them added again, tap 3 running fastest.

        Those of taps that do not reach the image are left out.
        """
        f, word = self.f, self.word
        with f.loop(int_(0), count, 1, [int_(0), int_(0), *self._digits(first)]) as entry:
            written, left_out, part, *taps = entry.carried
            steps, reaches = self.parts.steps(part), self.reached.holds(taps)
            with f.when(reaches):
                self._set_entry(written, self._offset(part, taps), steps, left_out)
            left_out = f.select(reaches, int_(0), f.add(left_out, steps))
            written = f.add(written, f.convert("zext", reaches, "i64"))
            following, carries = list[V](), int_(1)
            for i in (3, 2, 1):
                counted = f.add(taps[i - 1], carries)
                wraps = f.icmp("eq", counted, word[Conv[f"TAPS{i}"]])
                following.insert(0, f.select(wraps, int_(0), counted))
                carries = f.convert("zext", wraps, "i64")
            entry.next(written, left_out, f.add(part, carries), *following)
        self.descriptors.set({TileWords.ENTRIES: entry.carried[0]})

    def _fill_again(self, first: V, end: V) -> None:
        """Write which steps of the panel are added again, behind entries from `first` on, to entry `end`."""
        f, word = self.f, self.word
        panels = ceil_div(f, word[Conv.CHANNELS], int_(self.shape.columns))
        number = f.add(f.mul(self.group, panels), self.panel_number)
        again = f.word(self.args, Conv.AGAIN, "ptr")
        own = f.gep(again, f.mul(f.mul(number, word[Conv.AGAIN_STEPS]), int_(scratch.AGAIN_WORDS)), "i64")
        begin = f.smax(first, self.entries)
        with f.loop(begin, end) as entry:
            words = f.mul(f.sub(entry.index, self.entries), int_(scratch.AGAIN_WORDS))
            told = f.gep(own, words, "i64")
            part, *taps = self._digits(f.word(told, 0))
            offset = f.add(self._offset(part, taps), f.mul(f.word(told, 1), int_(self.shape.depth)))
            self._set_entry(f.sub(entry.index, first), offset, int_(1), int_(0))
        with f.when(f.icmp("sgt", end, begin)):
            self.descriptors.set({TileWords.ENTRIES: f.sub(end, first)})

    def _digits(self, number: V) -> list[V]:
        """The part of the channels that an entry has, and which tap of each of three axes."""
        f, rest, taps = self.f, number, list[V]()
        for i in (3, 2, 1):
            count = self.word[Conv[f"TAPS{i}"]]
            taps.insert(0, f.binary("urem", rest, count))
            rest = f.binary("udiv", rest, count)
        return [rest, *taps]

    def _offset(self, part: V, taps: Sequence[V]) -> V:
        """Where an entry begins, in elements of the input."""
        f, word = self.f, self.word
        offset = self.parts.offset(part, word[Conv.X_CHANNEL])
        for i, tap in enumerate(taps, 1):
            offset = f.add(offset, f.mul(tap, word[Conv[f"X_TAP{i}"]]))
        return offset

    def _set_entry(self, number: V, offset: V, steps: V, left_out: V) -> None:
        """Write an entry of so many steps, before which so many steps of the weights are left out."""
        f = self.f
        words = f.gep(self.table, f.mul(number, int_(scratch.ENTRY_WORDS)), "i64")
        set_word(f, words, 0, f.mul(offset, int_(self.shape.operand_bytes)))
        set_word(f, words, 1, steps)
        set_word(f, words, 2, left_out)

    def _panel(self, panel: V) -> None:
        """All cuts of the taps of one panel, over all tiles of the block."""
        f, shape = self.f, self.shape
        self.panel_number, self.channel = panel, f.mul(panel, int_(shape.columns))
        self.first_channel = f.add(f.mul(self.group, self.word[Conv.GROUP_PITCH]), self.channel)
        narrow = f.icmp("sle", f.sub(self.padded, self.channel), int_(shape.lanes))
        self.columns = f.smin(f.sub(self.limit, self.channel), int_(shape.columns))
        self._sum_panel(narrow)

    def _sum_panel(self, narrow: V) -> None:
        """All cuts of the taps of the panel, one vector wide if `narrow`."""
        f, shape = self.f, self.shape
        width = f.select(narrow, int_(shape.lanes), int_(shape.columns))
        lane = f.binary("and", self.first_channel, int_(self.shape.block - 1))
        inside = f.icmp("sle", f.add(lane, self.columns), int_(self.shape.block))
        aligned = f.binary("or", f.icmp("eq", lane, int_(0)), inside)
        fits = f.binary("and", aligned, f.icmp("eq", self.columns, width))
        self.direct = f.binary("and", self.may_be_direct, fits)
        slopes = f.gep(f.word(self.args, Conv.SLOPES, "ptr"), self.first_channel, shape.dtype)
        self.descriptors.set_direct(
            {TileWords.BIAS: self.end.bias(self.first_channel), TileWords.SLOPES: slopes}
        )
        kept = f.binary("xor", self.direct, int_(1, "i1"))
        self._choose_kernels(narrow)
        weights = f.gep(self.w, f.mul(self.channel, self.steps), shape.dtype)
        with f.loop(int_(0), f.smax(self.all_entries, int_(1)), self.entries_per_cut) as cut:
            end = f.smin(f.add(cut.index, self.entries_per_cut), self.all_entries)
            entries = f.sub(f.smin(end, self.entries), cut.index)
            self.own_entries = cut.index, f.smax(entries, int_(0))
            with f.when(self.is_cut):
                self._fill_table(*self.own_entries)
            self._fill_again(cut.index, end)
            add = f.icmp("ne", cut.index, int_(0))
            self.descriptors.set_scratch({TileWords.MODE: f.select(add, int_(Mode.ADD), int_(Mode.STORE))})
            self.passes_on = f.binary("and", f.icmp("eq", end, self.all_entries), kept)
            before, after = self._steps_before(cut.index), self._steps_before(end)
            run = Run(
                f.gep(weights, f.mul(before, width), shape.dtype),
                self._bytes(f.mul(f.sub(after, before), width)),
            )
            read = f.add(f.mul(self.channel, self.steps), f.mul(after, width))
            rest = Run(run.end(f), self._bytes(f.sub(self.last_weight, read)))
            ahead = self._ahead(width, run, rest)
            self.descriptors.set(ahead.words)
            self._strips(run.begin, ahead)

    def _ahead(self, width: V, run: Run, rest: Run) -> Ahead:
        return Ahead.of(self.f, self.shape, self.f.sub(self.high, self.low), self.few, width, run, rest)

    def _choose_kernels(self, narrow: V) -> None:
        """The micro-kernels for the larger and for the smaller tiles."""
        f, cut = self.f, self.tiles.pixels
        one = f.icmp("eq", self.word[Conv.LINES], int_(1))
        few = self.few = f.binary("and", one, f.icmp("sle", cut.total, int_(GEMV_ROWS)))
        paired = f.icmp("eq", self.tiles.lines, int_(2))
        self.larger = f.select(paired, f.mul(cut.total, int_(2)), cut.largest(f))
        smaller = f.select(paired, cut.total, cut.base)
        own = f.word(self.args, Conv.BESIDE, "ptr")
        is_beside = f.binary("and", narrow, f.icmp("ne", own, V("null", "ptr")))
        pick = f.select(is_beside, own, V(f"@{self.pick}", "ptr"))
        tall = f.word(self.args, Conv.TALL, "ptr")
        self.picks = []
        for rows in (self.larger, smaller):
            own = f.select(f.icmp("sgt", rows, int_(self.shape.max_rows)), tall, pick)
            self.picks += picked(f, own, (rows,), narrow, few)

    def _first_tile(self) -> tuple[V, V]:
        """Which tile of its line the first of the block is, and that line."""
        f, cut = self.f, self.tiles.pixels
        line = f.mul(f.binary("udiv", self.low, cut.parts), self.tiles.lines)
        return f.binary("urem", self.low, cut.parts), line

    def _strips(self, b: V, ahead: Ahead) -> None:
        """All tiles of the block for one cut of one panel; what does not go to Y at once in strips."""

        def tile(number: V, position: Sequence[V], later: V, into: V) -> V:
            index, line = position
            return self._tile(number, line, index, b, later, into)

        f, lines = self.f, Lines(self.tiles.pixels.parts, self.tiles.lines)
        whole = self.low, self.high, self._first_tile(), self.sums, self.is_cut, self.passes_on
        most = f.select(self.tiles.are_tall, int_(STRIP_TILES // self.shape.vectors), int_(STRIP_TILES))
        Strips(*whole, lines, most).write(f, self.shape, ahead, tile, self._pass_on_lines)

    def _tile(self, number: V, line: V, index: V, b: V, ahead: V, tile: V) -> V:
        """Sum the tile of that number, which is that one of its line; returns its rows."""
        f, word, cut = self.f, self.word, self.tiles.pixels
        del number
        lines = f.smin(f.sub(word[Conv.LINES], line), self.tiles.lines)
        pixel = cut.begin(f, index)
        pixels = cut.size(f, index)
        with f.when(self.reached.known), f.when(self.reached.turns_to((line, lines), (pixel, pixels))):
            self._fill_table(*self.own_entries)
        rows = f.mul(pixels, lines)
        kernel = f.select(f.icmp("eq", rows, self.larger), *self.picks)
        a = f.gep(self.x, f.add(f.mul(line, self.line), f.mul(pixel, self.row)), "i8")
        two = f.icmp("eq", lines, int_(2))
        half = f.select(two, self.line, second_half(f, rows, self.row))
        y, residual = (self.outputs.place(o, line, pixel, self.first_channel) for o in "YR")
        y_line, r_line = (self._bytes(word[w]) for w in (Conv.Y_LINE, Conv.R_LINE))
        halves = {TileWords.TILE_HALF: y_line, TileWords.RESIDUAL_HALF: r_line}
        self.descriptors.set_direct({w: f.select(two, distance, int_(0)) for w, distance in halves.items()})
        self.descriptors.set_direct({TileWords.RESIDUAL: residual.address})
        self.descriptors.sum(kernel, (a, b, half), tile, y.address, self.direct, ahead)
        return rows

    def _pass_on_lines(self, strip: Strip, end: V) -> None:
        """Pass on the tiles of a strip up to tile `end` of the line, line by line."""
        f, cut, (first, line) = self.f, self.tiles.pixels, strip.first
        lines = f.smin(f.sub(self.word[Conv.LINES], line), self.tiles.lines)
        pixel = cut.begin(f, first)
        pixels = f.sub(cut.begin(f, end), pixel)
        size = f.mul(pixels, int_(self.shape.panel_row_bytes))
        with f.loop(int_(0), lines, 1, [strip.sums]) as each:
            self._pass_on_line(each.carried[0], f.add(line, each.index), pixel, pixels)
            each.next(f.gep(each.carried[0], size, "i8"))

    def _pass_on_line(self, sums: V, line: V, pixel: V, pixels: V) -> None:
        """Pass on some pixels of a line."""
        self.outputs.pass_on(sums, Channels(self.first_channel, self.columns), line, pixel, pixels)
