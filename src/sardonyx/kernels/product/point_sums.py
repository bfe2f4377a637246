"""Micro-kernels of levels times points: exact sums of a block of k, scaled and added as floats.

Decides registers and what is asked for ahead; must not know matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.product.blockwise import WORD_BITS
from sardonyx.kernels.product.points import FACTS_BYTES, Facts
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, hidden, prefetch
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_steps
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_AHEAD_BYTES = 2048
"""How far ahead levels are asked for."""

_SIDE = 4
"""Points that one step multiplies."""


class PointWords(IntEnum):
    """The i64 words that the calls for one product share; strides are in bytes.

    GROUPS of k in all, BLOCK in a block; levels are asked for up to LAST.
    """

    GROUPS = 0
    BLOCK = 1
    POINTS_ROW = 2
    FACTS_ROW = 3
    LAST = 4


@dataclass(frozen=True, slots=True)
class PointKernel:
    """So many rows of points times a panel of levels; if it `shifts`, with zero points of their own."""

    shape: TileShape
    bits: int
    rows: int
    shifts: bool

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"points{self.bits}_{self.rows}x{self.shape.vectors}{'shifted' if self.shifts else ''}"


def define(module: Module, kernel: PointKernel) -> str:
    """Add `void @name(points, facts, levels, scales, zeros, tile, words)`, all pointers; returns the name.

    tile[r][c] = sum over blocks of STEP[r] * scales[c] * (sum over k of points[r] * (levels[c] - zeros[c])).
    Without its own a zero point is half of what levels may be.
    """
    if not module.has(kernel.name):
        _Writer(module, kernel).write()
    return kernel.name


class _Writer:
    def __init__(self, module: Module, kernel: PointKernel) -> None:
        names = ("points", "facts", "levels", "scales", "zeros", "tile", "words")
        params = [(name, "ptr") for name in names]
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.kernel, self.shape = kernel, kernel.shape
        self.sums, self.floats = self.shape.vector, vector_of("float", self.shape.lanes)
        self.bytes = GROUP * self.shape.columns * kernel.bits // 8

    def write(self) -> None:
        f, kernel, columns = self.f, self.kernel, int_(self.shape.columns)
        *starts, tile, words = f.params
        self.last = hidden(f, f.word(words, PointWords.LAST, "ptr"))
        strides = [f.word(words, w) for w in (PointWords.POINTS_ROW, PointWords.FACTS_ROW)]
        self.rows, about = ([f.mul(stride, int_(r)) for r in range(kernel.rows)] for stride in strides)
        groups, block = f.word(words, PointWords.GROUPS), f.word(words, PointWords.BLOCK)
        sums = [float_(0.0, self.floats)] * (kernel.rows * self.shape.vectors)
        with f.loop(int_(0), groups, block, [*starts, *sums]) as part:
            points, facts, levels, scales, zeros, *sums = part.carried
            facts_of = [f.gep(facts, row, "i8") for row in about]
            count = f.smin(f.sub(groups, part.index), block)
            points, levels, whole = self._block(count, points, levels, facts_of)
            sums = self._scaled(sums, whole, facts_of, scales, zeros)
            facts = f.gep(facts, int_(FACTS_BYTES), "i8")
            part.next(points, facts, levels, *(f.gep(v, columns, "float") for v in (scales, zeros)), *sums)
        for n, total in enumerate(part.carried[len(starts) :]):
            f.store(total, f.gep(tile, int_(n * self.shape.lanes), "float"))
        f.ret()
        f.finish()

    def _block(self, groups: V, points: V, levels: V, facts: Sequence[V]) -> tuple[V, V, list[V]]:
        """The whole sums of a block, and what points and levels follow."""
        f, vectors = self.f, self.shape.vectors
        begun = int_(0, self.sums)
        starts = [f.load(f.gep(at, int_(Facts.START), "i32"), "i32") for at in facts]
        if self.kernel.shifts:
            sums = [begun] * (len(starts) * vectors)
        else:
            sums = [f.splat(start, self.shape.lanes) for start in starts for _ in range(vectors)]
        with f.loop(int_(0), groups, 1, [points, levels, *sums]) as group:
            points, levels, *sums = group.carried
            self._ask(levels)
            steps = self._steps(levels)
            together = self.shape.instruction.steps
            for first in range(0, len(steps), together):
                sums = self._step(points, steps, range(first, first + together), sums)
            group.next(f.gep(points, int_(GROUP), "i8"), f.gep(levels, int_(self.bytes), "i8"), *sums)
        points, levels, *sums = group.carried
        return points, levels, sums

    def _ask(self, levels: V) -> None:
        f = self.f
        ahead = f.gep(levels, int_(_AHEAD_BYTES), "i8")
        ahead = f.select(f.icmp("ult", ahead, self.last), ahead, self.last)
        for line in range(0, self.bytes, CACHE_LINE):
            prefetch(f, f.gep(ahead, int_(line), "i8"), 1)

    def _steps(self, levels: V) -> list[list[V]]:
        """The bytes of each step of a group: vectors of words."""
        f, shape = self.f, self.shape
        steps: list[list[V]] = []
        for row in range(GROUP * self.kernel.bits // WORD_BITS):
            at = f.gep(levels, int_(row * shape.columns), "i32")
            words = [f.load(f.gep(at, int_(j * shape.lanes), "i32"), self.sums) for j in range(shape.vectors)]
            steps += [[self._apart(v, shift) for v in words] for shift in range(0, 8, self.kernel.bits)]
        return steps

    def _apart(self, words: V, shift: int) -> V:
        f, bits = self.f, self.kernel.bits
        if bits == 8:
            return words
        moved = f.binary("lshr", words, int_(shift, words.type)) if shift else words
        return f.binary("and", moved, int_(0x01010101 * ((1 << bits) - 1), words.type))

    def _step(self, points: V, steps: Sequence[Sequence[V]], which: range, sums: Sequence[V]) -> list[V]:
        f, shape, sums = self.f, self.shape, list(sums)
        for r, row in enumerate(self.rows):
            at = f.gep(points, row, "i8")
            own = [f.splat(f.load(f.gep(at, int_(n * _SIDE), "i8"), "i32", 4), shape.lanes) for n in which]
            for j in range(shape.vectors):
                pairs = [(steps[n][j], point) for n, point in zip(which, own, strict=True)]
                index = r * shape.vectors + j
                sums[index] = add_steps(f, sums[index], pairs, shape.instruction)
        return sums

    def _scaled(
        self, sums: Sequence[V], whole: Sequence[V], facts: Sequence[V], scales: V, zeros: V
    ) -> list[V]:
        """The sums with those of a block added."""
        f, shape, sums = self.f, self.shape, list(sums)

        def vector(base: V, j: int) -> V:
            return f.load(f.gep(base, int_(j * shape.lanes), "float"), self.floats)

        def fact(r: int, which: Facts) -> V:
            return f.splat(f.load(f.gep(facts[r], int_(which), "float"), "float"), shape.lanes)

        for r in range(len(facts)):
            for j in range(shape.vectors):
                index = r * shape.vectors + j
                number = f.convert("sitofp", whole[index], "float")
                if self.kernel.shifts:
                    number = f.fma(vector(zeros, j), fact(r, Facts.SUM), number)
                number = f.binary("fmul", number, fact(r, Facts.STEP))
                sums[index] = f.fma(number, vector(scales, j), sums[index])
        return sums
