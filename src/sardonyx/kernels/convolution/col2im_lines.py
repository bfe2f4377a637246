"""Adds the columns of blocks up to images a line at a time, for taps of the last axis that are known.

Decides which taps a line of pixels takes, and how they come to vectors. Pixels of one remainder by the stride
are a vector; a tap of them is read where it lies, so no sum is ever stored half done.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.target import Target
from sardonyx.emit.shares import Shares
from sardonyx.ir.blocks import by_lines
from sardonyx.kernels.access import Access
from sardonyx.llvm import maps
from sardonyx.llvm.convert import literal
from sardonyx.llvm.shuffle import interleave
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import V, int_

BITS = (32, 64)
"""Of elements of which machines read vectors in part."""
_WORK = 2
"""Operations for an element of a tap."""


@dataclass(frozen=True, slots=True)
class Taps:
    """Known taps: how many an axis, how far apart, and the strides of their blocks."""

    kernel: tuple[int, ...]
    dilations: tuple[int, ...]
    strides: tuple[int, ...]

    @staticmethod
    def of(kernel: Sequence[object], dilations: Sequence[int], strides: Sequence[int]) -> Taps | None:
        """None if some are not known, or too many."""
        known = tuple(size for size in kernel if isinstance(size, int))
        if len(known) < len(kernel) or not by_lines(known, strides):
            return None
        return Taps(known, tuple(dilations), tuple(strides))

    @property
    def lines(self) -> int:
        """Those of all axes but the last."""
        return math.prod(self.kernel[:-1])

    @property
    def name(self) -> str:
        """Tells kernels apart."""
        return "_".join("x".join(map(str, sizes)) for sizes in (self.kernel, self.dilations, self.strides))


class Lines:
    """All lines of the images; `word` are the sizes by axis and name, `columns` the positions of a tap."""

    def __init__(self, access: Access, taps: Taps, word: Mapping[str, Sequence[V]], columns: V) -> None:
        self.f, self.access, self.taps, self.word, self.columns = access.f, access, taps, word, columns
        self.target: Target = access.target
        self.lanes = self.target.lanes * 4 // access.dtype.size_bytes
        self.found = self.f.alloca("ptr", taps.lines)
        self.all = int_(1, vector_of("i1", self.lanes))
        self.stride = taps.strides[-1]
        self.places = [divmod(tap * taps.dilations[-1], self.stride) for tap in range(taps.kernel[-1])]

    def write(self, x: V, y: V, planes: V, ctx: V) -> None:
        """Threads share lines."""
        f, word = self.f, self.word
        lines = planes
        for size in word["out"][:-1]:
            lines = f.mul(lines, size)
        width = word["out"][-1]
        work = f.mul(f.mul(lines, width), int_(math.prod(self.taps.kernel) * _WORK))
        shares = Shares.of(f, ctx, f.word(ctx, Context.NTHREADS), work, lines)
        with shares.mine(f) as share:
            low, high = (f.binary("udiv", f.mul(lines, at), shares.units) for at in share)
            with f.loop(low, high) as line:
                count = self._list(x, line.index)
                self._line(count, f.gep(y, f.mul(line.index, width), self.access.plain))

    def _list(self, x: V, line: V) -> V:
        """Note where the taps begin that a line of pixels takes, one of each line of taps; their number."""
        f, word = self.f, self.word
        rank, rest, at = len(word["out"]), line, []
        for axis in reversed(range(rank - 1)):
            size = word["out"][axis]
            at.append(f.add(f.binary("urem", rest, size), word["low"][axis]))
            rest = f.binary("udiv", rest, size)
        with f.loop(int_(0), int_(self.taps.lines), 1, [int_(0)]) as loop:
            taken, tap, position, step = int_(1, "i1"), loop.index, int_(0), word["positions"][-1]
            for axis, place in zip(reversed(range(rank - 1)), at, strict=True):
                positions, kernel = word["positions"][axis], int_(self.taps.kernel[axis])
                stride, dilation = int_(self.taps.strides[axis]), int_(self.taps.dilations[axis])
                moved = f.sub(place, f.mul(f.binary("urem", tap, kernel), dilation))
                tap = f.binary("udiv", tap, kernel)
                block = f.binary("sdiv", moved, stride)
                whole = f.icmp("eq", f.mul(block, stride), moved)
                inside = f.binary("and", whole, f.icmp("ult", block, positions))
                taken, position = f.binary("and", taken, inside), f.add(position, f.mul(block, step))
                step = f.mul(step, positions)
            row = f.add(f.mul(rest, int_(self.taps.lines)), loop.index)
            first = f.mul(f.mul(row, int_(self.taps.kernel[-1])), self.columns)
            found = f.gep(x, f.add(first, position), self.access.plain)
            (count,) = loop.carried
            f.store(found, f.gep(self.found, count, "ptr"), 8)
            loop.next(f.add(count, f.convert("zext", taken, "i64")))
        return loop.carried[0]

    def _line(self, count: V, to: V) -> None:
        """One line of pixels: vectors of blocks, whose pixels are woven as they are stored."""
        f, (stride, lanes) = self.f, (self.stride, self.lanes)
        low, width = self.word["low"][-1], self.word["out"][-1]
        rounded = f.select(f.icmp("slt", low, int_(0)), f.sub(low, int_(stride - 1)), low)
        first = f.sub(f.mul(f.binary("sdiv", rounded, int_(stride)), int_(stride)), low)
        farthest = self.places[-1][0]
        with f.loop(first, width, stride * lanes) as loop:
            pixel = loop.index
            start = f.binary("sdiv", f.add(pixel, low), int_(stride))
            last = f.add(start, int_(lanes))
            fits = (
                f.icmp("sge", pixel, int_(0)),
                f.icmp("sle", f.add(pixel, int_(stride * lanes)), width),
                f.icmp("sge", start, int_(farthest)),
                f.icmp("sle", last, self.word["positions"][-1]),
            )
            whole = functools.reduce(lambda a, b: f.binary("and", a, b), fits)
            inner, edge, done = (f.new_label(name) for name in ("inner", "edge", "done"))
            f.branch(whole, inner, edge)
            f.start(inner)
            for number, vector in enumerate(interleave(f, self._sums(count, start, whole=True))):
                place = f.add(pixel, int_(number * lanes))
                self.access.store_lanes(vector, to, place, self.all)
            f.jump(done)
            f.start(edge)
            for number, vector in enumerate(interleave(f, self._sums(count, start, whole=False))):
                place = f.add(pixel, int_(number * lanes))
                self.access.store_lanes(vector, to, place, self._between(place, width))
            f.jump(done)
            f.start(done)

    def _sums(self, count: V, start: V, *, whole: bool) -> list[V]:
        """Vectors of the pixels of all remainders, for blocks from `start` on.

        `whole` if no tap of theirs lies outside.
        """
        f, dtype = self.f, self.access.dtype
        zero = f.splat(literal(0, dtype), self.lanes)
        found = {}
        for far, _ in self.places:
            at = f.sub(start, int_(far))
            if far not in found:
                found[far] = at, self.all if whole else self._between(at, self.word["positions"][-1])
        with f.loop(int_(0), count, 1, [zero] * self.stride) as loop:
            sums = list(loop.carried)
            row = f.load(f.gep(self.found, loop.index, "ptr"), "ptr", 8)
            for tap, (far, remainder) in enumerate(self.places):
                at, mask = found[far]
                value = self.access.load_lanes(row, f.add(at, f.mul(self.columns, int_(tap))), mask)
                pair = sums[remainder], value
                sums[remainder] = maps.apply(
                    f, self.target, "add", pair, (dtype, dtype), dtype, {}, None, None
                )
            loop.next(*sums)
        return loop.carried

    def _between(self, at: V, size: V) -> V:
        """The mask of lanes that stand for indices from 0 to `size`, the first being `at`."""
        f, lanes = self.f, self.lanes
        ends = (f.smin(f.smax(f.sub(end, at), int_(0)), int_(lanes)) for end in (int_(0), size))
        before, inside = (f.tail_mask(end, lanes) for end in ends)
        return f.binary("and", inside, f.binary("xor", before, int_(1, before.type)))
