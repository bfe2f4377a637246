"""Micro-kernels of a tile of rows as `rows` lays them out, times a panel of weights as unsigned bytes.

Decides registers and addressing; must not know matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.named import IntEnum
from sardonyx.base.policy import Goal
from sardonyx.kernels.outliers import rows as of_rows
from sardonyx.kernels.outliers.rows import Facts
from sardonyx.kernels.share import set_words
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, UNROLL, hidden, prefetch
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_products
from sardonyx.llvm.vec import Function, Module, V, int_


class SumWords(IntEnum):
    """The i64 words that the tiles of a panel share; all but the steps are in bytes, or addresses."""

    STEPS = 0
    PITCH = 1
    AHEAD_STEP = 2
    AHEAD_LAST = 3


@dataclass(frozen=True, slots=True)
class SumKernel:
    """A register tile; the instructions multiply bytes, and numbers of 16 bits where rows are wide."""

    shape: TileShape
    rows: int
    vectors: int
    wide: MultiplyAdd

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"outliers_sums_{self.rows}x{self.vectors}"


def define_sums(module: Module, kernel: SumKernel) -> str:
    """Add `void @name(ptr rows, ptr b, ptr totals, ptr tile, ptr words, ptr ahead)` once; returns the name.

    tile[r][c] is the sum over k of the numbers of row r times weights of column c less 128, rows `columns` of
    the shape apart. TOTALS are the sums of columns of weights, i32. Each UNROLL steps as many bytes as they
    read of b are prefetched from `ahead` on, or from AHEAD_LAST if that is lower; then `ahead` moves by
    AHEAD_STEP.
    """
    if not module.has(kernel.name):
        _Writer(module, kernel).write()
    return kernel.name


def define_kernels(module: Module, goal: Goal, shape: TileShape) -> list[tuple[V, V]]:
    """Those of every number of rows, of one vector and of all of a panel."""
    wide = goal.tile("i16").instruction
    return [
        (
            V(f"@{define_sums(module, SumKernel(shape, rows, 1, wide))}", "ptr"),
            V(f"@{define_sums(module, SumKernel(shape, rows, shape.vectors, wide))}", "ptr"),
        )
        for rows in range(1, of_rows.MOST_ROWS + 1)
    ]


def picked(f: Function, kernels: Sequence[tuple[V, V]], rows: V, narrow: V) -> V:
    """That for so many rows, of one vector if `narrow`."""
    found = V("null", "ptr")
    for count, (one, all_) in enumerate(kernels, 1):
        kernel = f.select(narrow, one, all_)
        found = f.select(f.icmp("eq", rows, int_(count)), kernel, found)
    return found


def set_ahead(f: Function, words: V, ahead: Ahead) -> None:
    """Tell the tiles of a panel what they prefetch."""
    set_words(f, words, {SumWords.AHEAD_STEP: ahead.step, SumWords.AHEAD_LAST: ahead.last})


@dataclass(frozen=True, slots=True)
class _Way:
    """How steps are multiplied: by what, for each plane of rows what of weights, and how many in a turn."""

    instruction: MultiplyAdd
    planes: Sequence[Callable[[Function, V], V]]
    turn: int


class _Writer:
    """Writes one micro-kernel."""

    def __init__(self, module: Module, kernel: SumKernel) -> None:
        params = dict.fromkeys(("rows", "b", "totals", "tile", "words", "ahead"), "ptr")
        self.f = Function(
            module, kernel.name, list(params.items()), internal=True, attributes="nounwind noinline"
        )
        self.kernel, self.shape = kernel, kernel.shape
        self.rows, self.b, self.totals, self.tile, words, self.ahead = self.f.params
        self.steps, self.pitch, ahead_step = (
            self.f.word(words, w) for w in (SumWords.STEPS, SumWords.PITCH, SumWords.AHEAD_STEP)
        )
        self.ahead_step = hidden(self.f, ahead_step)
        self.ahead_last = self.f.word(words, SumWords.AHEAD_LAST, "ptr")
        self.vector_bytes = self.shape.lanes * self.shape.element
        self.step_bytes = kernel.vectors * self.vector_bytes

    def write(self) -> None:
        f, shape = self.f, self.shape
        bytes_ = _Way(shape.instruction, (lambda f, x: x,), UNROLL)
        wide = _Way(self.kernel.wide, (of_rows.even, of_rows.odd), 1)
        entries = f.word(self.rows, Facts.ENTRIES)
        by_bytes, widely, done = (f.new_label(hint) for hint in ("bytes", "wide", "done"))
        f.branch(f.icmp("sge", entries, int_(0)), by_bytes, widely)
        f.start(by_bytes)
        self._store(self._again(entries, bytes_, self._all(bytes_)))
        f.jump(done)
        f.start(widely)
        self._store(self._all(wide))
        f.jump(done)
        f.start(done)
        f.ret()
        f.finish()

    def _begun(self) -> list[V]:
        """Sums with what the centre and the 128 of weights add."""
        f, lanes = self.f, self.shape.lanes
        centre = f.splat(f.word(self.rows, Facts.CENTRE, "i32"), lanes)
        totals = [
            f.mul(centre, f.load(f.gep(self.totals, int_(j * lanes), "i32"), self.shape.vector))
            for j in range(self.kernel.vectors)
        ]
        terms = f.gep(self.rows, int_(of_rows.TERMS_AT), "i8")
        own = [f.load(f.gep(terms, int_(r), "i32"), "i32") for r in range(self.kernel.rows)]
        return [f.sub(total, f.splat(term, lanes)) for term in own for total in totals]

    def _all(self, way: _Way) -> list[V]:
        """The sums over all steps."""
        f = self.f
        stride = f.mul(self.pitch, int_(len(way.planes)))
        one, three = hidden(f, stride), hidden(f, f.mul(stride, int_(3)))
        places = [int_(0), one, f.mul(one, int_(2)), three, f.mul(one, int_(4))][: self.kernel.rows]
        a = f.gep(self.rows, int_(of_rows.FACTS_BYTES), "i8")
        whole = f.binary("and", self.steps, int_(-UNROLL))
        carried = [a, self.b, self.ahead, *self._begun()]
        turns = [(int_(0), whole, UNROLL), (whole, self.steps, 1)]
        for low, high, count in turns if way.turn == UNROLL else [(int_(0), self.steps, 1)]:
            with f.loop(low, high, count, carried) as loop:
                a, b, ahead, *sums = loop.carried
                a = hidden(f, a)
                planes = [a, *(hidden(f, f.gep(a, self.pitch, "i8")) for _ in way.planes[1:])]
                if count == UNROLL:
                    self._ask(ahead)
                    ahead = f.gep(ahead, self.ahead_step, "i8")
                for step in range(count):
                    numbers = [
                        [f.load(f.gep(f.gep(at, place, "i8"), int_(step), "i32"), "i32") for at in planes]
                        for place in places
                    ]
                    sums = self._step(way, numbers, f.gep(b, int_(step * self.step_bytes), "i8"), sums)
                following = f.gep(a, int_(count), "i32"), f.gep(b, int_(count * self.step_bytes), "i8")
                loop.next(*following, ahead, *sums)
            carried = loop.carried
        return carried[3:]

    def _ask(self, ahead: V) -> None:
        """Ask for what is read soon."""
        f, level = self.f, self.shape.prefetch.level
        if level:
            first = f.select(f.icmp("ult", ahead, self.ahead_last), ahead, self.ahead_last)
            for line in range(0, UNROLL * self.step_bytes, CACHE_LINE):
                prefetch(f, f.gep(first, int_(line), "i8"), level)

    def _again(self, entries: V, way: _Way, sums: Sequence[V]) -> list[V]:
        """The sums with those of entries."""
        f = self.f
        begin = of_rows.entries_at(f, self.rows, self.pitch)
        with f.loop(int_(0), entries, 1, [begin, *sums]) as loop:
            entry, *own = loop.carried
            b = f.gep(self.b, f.mul(f.load(entry, "i64"), int_(self.step_bytes)), "i8")
            at = f.gep(entry, int_(of_rows.ENTRY_ROWS_AT), "i8")
            numbers = [[f.load(f.gep(at, int_(r), "i32"), "i32")] for r in range(self.kernel.rows)]
            own = self._step(way, numbers, b, own)
            loop.next(f.gep(entry, int_(of_rows.ENTRY_BYTES), "i8"), *own)
        return loop.carried[1:]

    def _step(self, way: _Way, numbers: Sequence[Sequence[V]], b: V, sums: Sequence[V]) -> list[V]:
        f, vectors, sums = self.f, self.kernel.vectors, list(sums)
        at = [f.gep(b, int_(j * self.vector_bytes), "i8") for j in range(vectors)]
        for plane, part in enumerate(way.planes):
            columns = [part(f, f.load(v, way.instruction.operands)) for v in at]
            for row, own in enumerate(numbers):
                number = f.splat(own[plane], self.shape.lanes)
                for j, column in enumerate(columns):
                    index = row * vectors + j
                    sums[index] = add_products(f, sums[index], column, number, way.instruction)
        return sums

    def _store(self, sums: Sequence[V]) -> None:
        f = self.f
        for index, value in enumerate(sums):
            row, j = divmod(index, self.kernel.vectors)
            at = row * self.shape.panel_row_bytes + j * self.vector_bytes
            f.store(value, f.gep(self.tile, int_(at), "i8"), self.vector_bytes)
