"""Products of rows with levels in whole numbers: rows become points, bytes with a step size each block of k.

Micro-kernels add up exact sums of a block, which are scaled and added as floats; the loops around them make
points of some rows at a time, and leave rows that have none to floats. Must not know threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.abi import Context
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import GROUP, LEAST_LARGEST, MOST
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.levels.sums import FACTS_BYTES, Facts, LevelKernel, LevelWriter
from sardonyx.kernels.product.levels.walk import LevelBlock
from sardonyx.kernels.product.walk import Weights
from sardonyx.kernels.scratch import PRODUCT_BYTES, product_bytes
from sardonyx.kernels.share import round_up
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_MAGNITUDE, _INFINITE = 0x7FFFFFFF, 0x7F800000
_SIDE = 4
"""Points that one step multiplies."""
_ROWS = 64
"""Rows that are points at a time."""
_ROW_GAP = CACHE_LINE
"""Bytes behind a row of points, without which rows of many sizes would begin in one L1 set."""
_TILE_ROW_BYTES = 128
"""At most, of a panel."""


def define_points(module: Module, shape: TileShape, bits: int) -> str:
    """Add `i64 @name(ptr to, ptr facts, ptr from, i64 groups, i64 block)`; returns its name.

    `from` holds floats, whole groups of them, of which a block has some. Returns not 0 if no points stand for
    a row, as some number of it is not finite, or all of a block, but for zeros, are tiny.
    """
    name = f"points{bits}_row"
    params = [*((n, "ptr") for n in ("to", "facts", "from")), ("groups", "i64"), ("block", "i64")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, facts, source, groups, block = f.params
    numbers, whole = shape.vector, vector_of("i32", shape.lanes)
    offsets = range(0, GROUP, shape.lanes)

    def each(group: V, base: V, offset: int, type_: str) -> V:
        return f.gep(base, f.add(f.mul(group, int_(GROUP)), int_(offset)), type_)

    with f.loop(int_(0), groups, block, [facts, int_(0, "i1")]) as part:
        about, special = part.carried
        high = f.smin(f.add(part.index, block), groups)
        with f.loop(part.index, high, 1, [int_(0, whole)]) as group:
            (most,) = group.carried
            for offset in offsets:
                bits_ = f.load(each(group.index, source, offset, "i32"), whole)
                most = f.smax(most, f.binary("and", bits_, int_(_MAGNITUDE, whole)))
            group.next(most)
        largest = f.call(f"llvm.vector.reduce.smax.{mangle(whole)}", "i32", group.carried[0])
        above = f.sub(largest, int_(LEAST_LARGEST, "i32"))
        usual = f.icmp("ult", above, int_(_INFINITE - LEAST_LARGEST, "i32"))
        odd = f.binary("xor", f.binary("or", usual, f.icmp("eq", largest, int_(0, "i32"))), int_(1, "i1"))
        size = f.select(usual, f.bitcast(largest, "float"), float_(1.0))
        none, top = float_(0.0), float_(MOST)
        step = f.select(usual, f.binary("fdiv", size, top), none)
        inverse = f.splat(f.select(usual, f.binary("fdiv", top, size), none), shape.lanes)
        with f.loop(part.index, high, 1, [int_(0, whole)]) as group:
            (total,) = group.carried
            for offset in offsets:
                x = f.binary("fmul", f.load(each(group.index, source, offset, "float"), numbers), inverse)
                x = f.call(f"llvm.roundeven.{mangle(numbers)}", numbers, x)
                point = f.convert("fptosi", x, "i32")
                f.store(f.convert("trunc", point, "i8"), each(group.index, to, offset, "i8"))
                total = f.add(total, point)
            group.next(total)
        total = f.call(f"llvm.vector.reduce.add.{mangle(whole)}", "i32", group.carried[0])
        negative = f.sub(int_(0, "i32"), total)
        start = f.mul(negative, int_(1 << bits - 1, "i32"))
        for fact, value in (
            (Facts.STEP, step),
            (Facts.START, start),
            (Facts.SUM, f.convert("sitofp", negative, "float")),
        ):
            f.store(value, f.gep(about, int_(fact), value.type))
        part.next(f.gep(about, int_(FACTS_BYTES), "i8"), f.binary("or", special, odd))
    f.ret(f.convert("zext", part.carried[1], "i64"))
    f.finish()
    return name


def define_point_sums(module: Module, shape: TileShape, bits: int, rows: int, *, shifts: bool) -> str:
    """Add the micro-kernel, as `LevelWriter` says, of rows of points and what is known of them; its name."""
    name = f"points{bits}_{rows}x{shape.vectors}{'shifted' if shifts else ''}"
    if not module.has(name):
        _Writer(module, LevelKernel(name, shape, bits, rows, shifts, GROUP)).write()
    return name


class _Writer(LevelWriter):
    def begun(self) -> list[V]:
        f, shape = self.f, self.shape
        if self.kernel.shifts:
            return [int_(0, self.words)] * (len(self.facts) * shape.vectors)
        starts = [f.load(f.gep(at, int_(Facts.START), "i32"), "i32") for at in self.facts]
        return [f.splat(start, shape.lanes) for start in starts for _ in range(shape.vectors)]

    def summed(self, rows: V, levels: V, sums: Sequence[V]) -> list[V]:
        shifts = range(0, 8, self.kernel.bits)
        steps = [[self._apart(v, n) for v in words] for words in self.word_rows(levels) for n in shifts]
        together = self.shape.instruction.steps
        for first in range(0, len(steps), together):
            sums = self._added(rows, steps, range(first, first + together), sums)
        return list(sums)

    def _apart(self, words: V, shift: int) -> V:
        """Bytes of one number each."""
        f, bits = self.f, self.kernel.bits
        if bits == 8:
            return words
        moved = f.binary("lshr", words, int_(shift, words.type)) if shift else words
        return f.binary("and", moved, int_(0x01010101 * ((1 << bits) - 1), words.type))

    def _added(self, rows: V, steps: Sequence[Sequence[V]], which: range, sums: Sequence[V]) -> list[V]:
        """The sums with those of the steps that are added at once."""
        f, shape, sums = self.f, self.shape, list(sums)
        for r, row in enumerate(self.rows):
            at = f.gep(rows, row, "i8")
            own = [f.splat(f.load(f.gep(at, int_(n * _SIDE), "i8"), "i32", 4), shape.lanes) for n in which]
            for j in range(shape.vectors):
                pairs = [(steps[n][j], point) for n, point in zip(which, own, strict=True)]
                index = r * shape.vectors + j
                sums[index] = add_steps(f, sums[index], pairs, shape.instruction)
        return sums

    def scaled(self, sums: Sequence[V], of_block: Sequence[V]) -> list[V]:
        f, vectors, sums = self.f, self.shape.vectors, list(sums)
        for index, whole in enumerate(of_block):
            r, j = divmod(index, vectors)
            number = f.convert("sitofp", whole, "float")
            if self.kernel.shifts:
                number = f.fma(self.vector(self.zeros, j), self._fact(r, Facts.SUM), number)
            number = f.binary("fmul", number, self._fact(r, Facts.STEP))
            sums[index] = f.fma(number, self.vector(self.scales, j), sums[index])
        return sums

    def _fact(self, row: int, which: Facts) -> V:
        f = self.f
        return f.splat(f.load(f.gep(self.facts[row], int_(which), "float"), "float"), self.shape.lanes)


def points(bits: int) -> Weights:
    """Numbers of few bits that are multiplied with points."""
    return Weights(f"points{bits}_", made=True, bits=bits)


def point_bytes(target: Target, count: int, block: int) -> Dim:
    """Bytes of scratch for products over so many numbers in such blocks."""
    padded = -(-count // GROUP) * GROUP
    each = padded + _ROW_GAP + _facts_bytes(-(-count // block))
    return product_bytes(target) + _ROWS * (each + _TILE_ROW_BYTES) + 4 * padded


def _facts_bytes(blocks: int) -> int:
    return -(-blocks * FACTS_BYTES // CACHE_LINE) * CACHE_LINE


def define_point_block(module: Module, goal: Goal, bits: int, floats: str) -> str:
    """Add a function as `define_block` does. Rows without points are left to `floats`. Returns the name."""
    block = PointBlock(module, goal, TileShape.of(goal, "f32"), points(bits))
    block.floats = floats
    block.write()
    return block.f.name


class PointBlock(LevelBlock):
    """Writes the function."""

    floats: str

    def _define_parts(self, module: Module) -> None:
        bits, sums = self.weights.bits, TileShape.of(self.goal, "i8")
        assert sums.columns == self.shape.columns
        self.make = define_points(module, self.shape, bits)
        self._define_kernels(lambda rows, shifts: define_point_sums(module, sums, bits, rows, shifts=shifts))

    def write(self) -> None:
        """Write all of it."""
        f = self.f
        self._load_words()
        self._count_groups()
        self._lay_out_scratch()
        self._make_tile_words()
        with f.repeat(lambda m: f.icmp("slt", m, self.m1), [self.m0]) as part:
            (m,) = part.carried
            most = f.smin(f.add(m, int_(_ROWS)), self.m1)
            stop = self._make_points(m, most)
            with f.when(f.icmp("slt", m, stop)), f.loop(self.p0, self.p1) as panel:
                self._sum(m, f.sub(stop, m), panel.index)
            is_odd = f.icmp("slt", stop, most)
            behind = f.add(stop, f.convert("zext", is_odd, "i64"))
            with f.when(is_odd):
                f.call(self.floats, "void", self.args, self.ctx, self.b, stop, behind, self.p0, self.p1)
            part.next(behind)
        f.ret()
        f.finish()

    def _lay_out_scratch(self) -> None:
        """Behind what products of floats use: a row of floats, rows of points and their facts, sums."""
        f = self.f
        others = f.add(f.mul(self.word[Gemm.L2_BYTES], int_(2)), int_(PRODUCT_BYTES))
        self.numbers = f.gep(f.word(self.ctx, Context.SCRATCH, "ptr"), others, "i8")
        self.row_bytes = f.add(self.padded, int_(_ROW_GAP))
        self.facts_row = round_up(f, f.mul(self.blocks, int_(FACTS_BYTES)), CACHE_LINE)
        self.rows_at = f.gep(self.numbers, f.mul(self.padded, int_(4)), "i8")
        self.facts = f.gep(self.rows_at, f.mul(self.row_bytes, int_(_ROWS)), "i8")
        self.sums = f.gep(self.facts, f.mul(self.facts_row, int_(_ROWS)), "i8")

    def _make_points(self, m: V, most: V) -> V:
        """Make points of rows from m on; the row before which that ended, as it has none, or `most`."""
        f = self.f
        with f.repeat(lambda row, odd: self._goes_on(row, odd, most), [m, int_(0)]) as each:
            row, _ = each.carried
            self._copy_row(row, self.numbers)
            at = f.sub(row, m)
            to = f.gep(self.rows_at, f.mul(at, self.row_bytes), "i8")
            facts = f.gep(self.facts, f.mul(at, self.facts_row), "i8")
            odd = f.call(self.make, "i64", to, facts, self.numbers, self.groups, self.block)
            each.next(f.add(row, f.sub(int_(1), odd)), odd)
        return each.carried[0]

    def _goes_on(self, row: V, odd: V, most: V) -> V:
        f = self.f
        return f.binary("and", f.icmp("slt", row, most), f.icmp("eq", odd, int_(0)))
