"""Micro-kernels of rows times a panel of weights of few bits: sums of a block of k are scaled and added.

Decides the loops over blocks and groups of k, and what is asked for ahead; must not know what rows hold,
matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import IntEnum
from sardonyx.ir.algorithms.blockwise import GROUP
from sardonyx.kernels.product.blockwise import WORD_BITS
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, hidden, prefetch
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

AHEAD_BYTES = 2048
"""How far ahead levels are asked for."""


class LevelWords(IntEnum):
    """The i64 words that the calls for one product share; strides are in bytes.

    GROUPS of k in all, BLOCK in a block; levels are asked for up to LAST. There are FACTS for points alone.
    """

    GROUPS = 0
    BLOCK = 1
    ROW = 2
    FACTS_ROW = 3
    LAST = 4


class Facts(IntEnum):
    """What is known of a block of points, in words of 32 bits.

    STEP is a float; START the sum of the points, negative, times the usual zero point; SUM, as a float, their
    sum, negative.
    """

    STEP = 0
    START = 1
    SUM = 2


FACTS_BYTES = 4 * len(Facts)


@dataclass(frozen=True, slots=True)
class LevelKernel:
    """So many rows, of which a group of k has `row_bytes`, times a panel of levels.

    If it `shifts`, with zero points of their own; else one is half of what levels may be.
    """

    name: str
    shape: TileShape
    bits: int
    rows: int
    shifts: bool
    row_bytes: int


class LevelWriter:
    """Writes `void @name(rows, facts, levels, scales, zeros, tile, words)`, all pointers.

    tile[r][c] = sum over blocks of scales[c] * (sum over k of rows[r] * (levels[c] - zeros[c])).
    """

    def __init__(self, module: Module, kernel: LevelKernel) -> None:
        params = [(n, "ptr") for n in ("rows", "facts", "levels", "scales", "zeros", "tile", "words")]
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.kernel, self.shape = kernel, kernel.shape
        self.floats = vector_of("float", self.shape.lanes)
        self.words = vector_of("i32", self.shape.lanes)
        self.bytes = GROUP * self.shape.columns * kernel.bits // 8

    def write(self) -> None:
        """Write all of it."""
        f, kernel, columns = self.f, self.kernel, int_(self.shape.columns)
        *starts, tile, words = f.params
        self.last = hidden(f, f.word(words, LevelWords.LAST, "ptr"))
        strides = [f.word(words, w) for w in (LevelWords.ROW, LevelWords.FACTS_ROW)]
        self.rows, about = ([f.mul(stride, int_(r)) for r in range(kernel.rows)] for stride in strides)
        groups, block = f.word(words, LevelWords.GROUPS), f.word(words, LevelWords.BLOCK)
        sums = [float_(0.0, self.floats)] * (kernel.rows * self.shape.vectors)
        with f.loop(int_(0), groups, block, [*starts, *sums]) as part:
            rows, facts, levels, scales, zeros, *sums = part.carried
            self.facts = [f.gep(facts, stride, "i8") for stride in about]
            self.scales, self.zeros = scales, zeros
            count = f.smin(f.sub(groups, part.index), block)
            rows, levels, of_block = self._block(count, rows, levels)
            sums = self.scaled(sums, of_block)
            facts = f.gep(facts, int_(FACTS_BYTES), "i8")
            part.next(rows, facts, levels, *(f.gep(v, columns, "float") for v in (scales, zeros)), *sums)
        for n, total in enumerate(part.carried[len(starts) :]):
            f.store(total, f.gep(tile, int_(n * self.shape.lanes), "float"))
        f.ret()
        f.finish()

    def begun(self) -> list[V]:
        """What the sums of a block begin with."""
        raise NotImplementedError

    def summed(self, rows: V, levels: V, sums: Sequence[V]) -> list[V]:
        """The sums of a block with those of a group."""
        raise NotImplementedError

    def scaled(self, sums: Sequence[V], of_block: Sequence[V]) -> list[V]:
        """The sums with those of a block."""
        raise NotImplementedError

    def vector(self, base: V, j: int) -> V:
        """One vector of what a block has for each column."""
        return self.f.load(self.f.gep(base, int_(j * self.shape.lanes), "float"), self.floats)

    def word_rows(self, levels: V) -> list[list[V]]:
        """The words of a group, by rows of vectors."""
        f, shape = self.f, self.shape
        rows = [f.gep(levels, int_(n * shape.columns), "i32") for n in range(self._word_rows)]
        offsets = [int_(j * shape.lanes) for j in range(shape.vectors)]
        return [[f.load(f.gep(row, offset, "i32"), self.words) for offset in offsets] for row in rows]

    @property
    def _word_rows(self) -> int:
        return GROUP * self.kernel.bits // WORD_BITS

    def _block(self, groups: V, rows: V, levels: V) -> tuple[V, V, list[V]]:
        """The sums of a block, and what rows and levels follow."""
        f = self.f
        with f.loop(int_(0), groups, 1, [rows, levels, *self.begun()]) as group:
            rows, levels, *sums = group.carried
            self._ask(levels)
            sums = self.summed(rows, levels, sums)
            after = (rows, self.kernel.row_bytes), (levels, self.bytes)
            group.next(*(f.gep(at, int_(size), "i8") for at, size in after), *sums)
        rows, levels, *sums = group.carried
        return rows, levels, sums

    def _ask(self, levels: V) -> None:
        f = self.f
        ahead = f.gep(levels, int_(AHEAD_BYTES), "i8")
        ahead = f.select(f.icmp("ult", ahead, self.last), ahead, self.last)
        for line in range(0, self.bytes, CACHE_LINE):
            prefetch(f, f.gep(ahead, int_(line), "i8"), 1)
