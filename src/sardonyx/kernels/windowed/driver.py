"""The loop over strips: the convolution of some lines, then the loop nest that reads them.

Decides which thread computes what; must not know what the two compute. Lines that a strip and the next one
read are kept for that, if the same thread computes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from sardonyx.base.abi import Context
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Conv, Shift, Windowed
from sardonyx.kernels.share import ceil_div, evenly, my_runs, set_word
from sardonyx.kernels.windowed.strips import LINE_BYTES
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_LINE = vector_of("float", LINE_BYTES // 4)

_BEFORE_WORDS = 3
"""The strip that was computed before, its first panel and the one after its last."""


def define_windowed(module: Module) -> None:
    """Add `void @sdx_windowed(ptr args, ptr ctx)`."""
    _Windowed(module).write()


class _Windowed:
    """Writes the function; attributes are its run-time values."""

    def __init__(self, module: Module) -> None:
        f = self.f = Function(module, "sdx_windowed", [("args", "ptr"), ("ctx", "ptr")])
        self.args, self.ctx = f.params
        own = (Windowed.FIRST, Windowed.SECOND, Windowed.HEAD)
        self.word = {w: f.word(self.args, w) for w in Windowed if w not in own}
        scratch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.first = f.gep(scratch, self.word[Windowed.COPIES], "i8")
        self.second = f.gep(self.first, self.word[Windowed.FIRST_WORDS], "i64")
        self.buffer = f.gep(scratch, self.word[Windowed.BUFFER], "i8")
        self.lines = f.gep(scratch, self.word[Windowed.COMMON], "i8")
        self.source = f.gep(self.args, int_(Windowed.HEAD), "i64")
        self.source_of_second = f.gep(self.source, self.word[Windowed.FIRST_WORDS], "i64")
        self.copied = f.add(self.word[Windowed.FIRST_WORDS], self.word[Windowed.SECOND_WORDS])
        self.of_first = f.gep(self.source, self.copied, "i64")
        shifts = f.mul(self.word[Windowed.FIRST_SHIFTS], int_(Shift.WORDS))
        self.of_second = f.gep(self.of_first, shifts, "i64")
        self.alone, self.kept, self.banded = (f.alloca("i64", count) for count in (Context.WORDS, 2, 1))
        self.before = f.alloca("i64", _BEFORE_WORDS)
        self.common = f.smax(f.sub(self.word[Windowed.REACH], self.word[Windowed.STEP]), int_(0))
        self.common_bytes = f.mul(self.common, self.word[Windowed.LINE_BYTES])

    def write(self) -> None:
        """Write all of it."""
        f, word = self.f, self.word
        for number in range(Context.WORDS):
            set_word(f, self.alone, number, f.word(self.ctx, number))
        set_word(f, self.alone, Context.TID, int_(0))
        set_word(f, self.alone, Context.NTHREADS, int_(1))
        f.store(int_(-1), self.banded)
        f.store(int_(-1), self.before)
        self._copy_words()
        strip = evenly(f, word[Windowed.LINES], word[Windowed.STRIP])
        strips = ceil_div(f, word[Windowed.LINES], strip)
        panels = ceil_div(f, word[Windowed.BLOCKS], word[Windowed.PANEL_BLOCKS])
        outer = f.mul(word[Windowed.SAMPLES], strips)
        threads = f.word(self.ctx, Context.NTHREADS)
        with f.when(f.icmp("sgt", outer, int_(0))):
            shares = Shares.of(f, self.ctx, threads, word[Windowed.WORK], f.mul(outer, panels))
            with my_runs(f, outer, panels, shares) as (index, low, high):
                sample = f.binary("udiv", index, strips)
                line = f.mul(f.binary("urem", index, strips), strip)
                lines = f.smin(strip, f.sub(word[Windowed.LINES], line))
                self._strip(index, (sample, line, lines), low, high)
        f.ret()
        f.finish()

    def _strip(self, strip: V, part: tuple[V, V, V], low: V, high: V) -> None:
        """So many lines of a sample's result, from one on, of panels low to high."""
        f, word, (sample, line, lines) = self.f, self.word, part
        rows = f.add(f.mul(f.sub(lines, int_(1)), word[Windowed.STEP]), word[Windowed.REACH])
        top = f.sub(f.mul(line, word[Windowed.STEP]), word[Windowed.ABOVE])
        follows = self._follows(strip, line, low, high)
        there = f.select(follows, self.common, int_(0))
        begin, row, count = self._lines_between(top, there, rows)
        each = evenly(f, f.sub(high, low), word[Windowed.PANELS])
        filled = self._lines_between(top, int_(0), rows)[1:]
        self._surround(f.mul(each, word[Windowed.PANEL_BLOCKS]), rows, *filled)
        with f.loop(low, high, each) as panel:
            stop = f.smin(f.add(panel.index, each), high)
            block = f.mul(panel.index, word[Windowed.PANEL_BLOCKS])
            beyond = f.smin(f.mul(stop, word[Windowed.PANEL_BLOCKS]), word[Windowed.BLOCKS])
            blocks = f.sub(beyond, block)
            by = {Shift.BUFFER: self.buffer, Shift.SAMPLE: sample, Shift.BLOCK: block}
            with f.when(follows):
                self._copy_common(block, blocks, int_(0), back=True)
            self._shift(
                self.first,
                self.source,
                self.of_first,
                Windowed.FIRST_SHIFTS,
                {**by, Shift.LINE: begin, Shift.ROW: row},
            )
            told = f.gep(self.first, word[Windowed.COUNT_WORD], "i64")
            f.store(f.mul(count, word[Windowed.COUNT]), told, 8)
            own = {Conv.FIRST_PANEL: panel.index, Conv.PANELS: f.sub(stop, panel.index)}
            for index, value in own.items():
                set_word(f, self.first, index, value)
            with f.when(f.icmp("sgt", count, int_(0))):
                self._keep_band(f.add(f.mul(strip, int_(2)), f.convert("zext", follows, "i64")))
                f.call_pointer(f.word(self.args, Windowed.FIRST, "ptr"), self.first, self.alone)
            with f.when(f.icmp("slt", f.add(line, lines), word[Windowed.LINES])):
                self._copy_common(block, blocks, f.mul(lines, word[Windowed.STEP]), back=False)
            self._shift(
                self.second,
                self.source_of_second,
                self.of_second,
                Windowed.SECOND_SHIFTS,
                {**by, Shift.LINE: line},
            )
            f.store(lines, f.gep(self.second, word[Windowed.LINES_WORD], "i64"), 8)
            f.store(blocks, f.gep(self.second, word[Windowed.BLOCKS_WORD], "i64"), 8)
            f.call_pointer(f.word(self.args, Windowed.SECOND, "ptr"), self.second, self.alone)

    def _follows(self, strip: V, line: V, low: V, high: V) -> V:
        """Whether the strip before was the one above, of all these panels; it is this one hereafter."""
        f = self.f
        conditions = (
            f.icmp("eq", f.add(f.word(self.before, 0), int_(1)), strip),
            f.icmp("sgt", line, int_(0)),
            f.icmp("sle", f.word(self.before, 1), low),
            f.icmp("sle", high, f.word(self.before, 2)),
        )
        for number, value in enumerate((strip, low, high)):
            set_word(f, self.before, number, value)
        return reduce(lambda a, b: f.binary("and", a, b), conditions)

    def _lines_between(self, top: V, there: V, rows: V) -> tuple[V, V, V]:
        """What the convolution computes of lines from `top` on, of which some are there.

        From which line of the image and which row of the buffer on, and how many lines.
        """
        f, height = self.f, self.word[Windowed.HEIGHT]
        begin = f.smin(f.smax(f.add(top, there), int_(0)), height)
        end = f.smax(f.smin(f.add(top, rows), height), begin)
        row = f.smin(f.smax(f.sub(begin, top), int_(0)), rows)
        return begin, row, f.sub(end, begin)

    def _copy_common(self, first: V, blocks: V, row: V, *, back: bool) -> None:
        """Keep the lines from a row on that the next strip reads too, or bring them back."""
        f, word = self.f, self.word
        at = f.gep(self.buffer, f.mul(row, word[Windowed.LINE_BYTES]), "i8")
        with f.loop(int_(0), blocks) as block:
            near = f.gep(at, f.mul(block.index, word[Windowed.BLOCK_BYTES]), "i8")
            far = f.gep(self.lines, f.mul(f.add(first, block.index), self.common_bytes), "i8")
            source, into = (far, near) if back else (near, far)
            with f.loop(int_(0), self.common_bytes, LINE_BYTES) as each:
                line = f.load(f.gep(source, each.index, "i8"), _LINE, LINE_BYTES)
                f.store(line, f.gep(into, each.index, "i8"), LINE_BYTES)

    def _keep_band(self, strip: V) -> None:
        """Tell the convolution whether it has split the input of a strip of that number."""
        f = self.f
        is_there = f.icmp("eq", f.load(self.banded, "i64", 8), strip)
        set_word(f, self.kept, 0, f.convert("zext", is_there, "i64"))
        set_word(f, self.first, Conv.KEPT, f.convert("ptrtoint", self.kept, "i64"))
        f.store(strip, self.banded, 8)

    def _copy_words(self) -> None:
        """The words of both, of which addresses move with each strip."""
        f = self.f
        with f.loop(int_(0), self.copied) as each:
            word = f.load(f.gep(self.source, each.index, "i64"), "i64", 8)
            f.store(word, f.gep(self.first, each.index, "i64"), 8)

    def _shift(self, words: V, source: V, shifts: V, count: Windowed, by: Mapping[Shift, V]) -> None:
        """Set the addresses among words for a strip, by those of the first one, which `source` holds."""
        f = self.f
        with f.loop(int_(0), self.word[count]) as each:
            move = f.gep(shifts, f.mul(each.index, int_(Shift.WORDS)), "i64")
            number = f.word(move, Shift.WORD)
            at = f.gep(words, number, "i64")
            offset = f.load(f.gep(source, number, "i64"), "i64", 8)
            for index, value in by.items():
                if index is not Shift.BUFFER:
                    offset = f.add(offset, f.mul(value, f.word(move, index)))
            f.store(offset, at, 8)
            with f.when(f.icmp("ne", f.word(move, Shift.BUFFER), int_(0))):
                f.store(f.gep(by[Shift.BUFFER], offset, "i8"), at, 8)

    def _surround(self, blocks: V, rows: V, row: V, count: V) -> None:
        """Fill what lies around the `count` lines of each block that the convolution stores from `row` on."""
        f, word = self.f, self.word
        line = word[Windowed.LINE_BYTES]
        right = f.add(word[Windowed.LEFT_BYTES], word[Windowed.WIDTH_BYTES])
        stored = f.add(row, count)
        with f.loop(int_(0), blocks) as block:
            first = f.gep(self.buffer, f.mul(block.index, word[Windowed.BLOCK_BYTES]), "i8")
            self._fill(first, f.mul(row, line))
            self._fill(f.gep(first, f.mul(stored, line), "i8"), f.mul(f.sub(rows, stored), line))
            with f.loop(row, stored) as each:
                at = f.gep(first, f.mul(each.index, line), "i8")
                self._fill(at, word[Windowed.LEFT_BYTES])
                self._fill(f.gep(at, right, "i8"), word[Windowed.RIGHT_BYTES])

    def _fill(self, address: V, size: V) -> None:
        f = self.f
        value = f.splat(f.word(self.args, Windowed.FILL, "float"), LINE_BYTES // 4)
        with f.loop(int_(0), size, LINE_BYTES) as each:
            f.store(value, f.gep(address, each.index, "i8"), LINE_BYTES)
