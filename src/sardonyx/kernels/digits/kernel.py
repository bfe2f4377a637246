"""Micro-kernels on matrix registers whose numbers are digits: the sums of three levels, joined to floats.

Two tiles, of two registers of rows or of columns, have the sums of all levels in registers; one of A and one
of B serve all products, of which each takes one digit of the one before. Runs of A take turns in each step,
so that what they share stays in L1. The sums of a tile are joined, and finished with bias, residual and
limits, while the last step of the next one is multiplied. Decides registers, the order of loads, products and
joins, and what becomes of inf and NaN; must not know matrices or threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.digits.special import define_special
from sardonyx.kernels.tiles.matrix import ACROSS, ASKS, MatrixShape, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, added, clamped, hidden, prefetch
from sardonyx.llvm import matrix
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

LEVELS = 3
"""Products of digits whose places add up to the same number are summed together."""

_A, _B = LEVELS * ACROSS, LEVELS * ACROSS + 1
OF_SUMS, OF_A = range(LEVELS * ACROSS), range(_A, _A + 1)
"""The registers of sums, and that of A: those that have the rows of A."""

PRODUCTS = ((2, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0, 2))
"""The digits of A and of B that are multiplied: of neighbours one is the same, so that it stays loaded."""

_ALTERNATELY = tuple(
    (*digits, member ^ number % ACROSS) for number, digits in enumerate(PRODUCTS) for member in range(ACROSS)
)
"""Those of two registers of sums in turn, and of which: what both share stays loaded."""

_HALF_BYTES = LEVELS * ACROSS * 1024
SUM_BYTES = ACROSS * _HALF_BYTES
"""Room for the sums of all levels."""

SHORT = 4
"""Steps of B that stay in L1."""

WAIT = 3
"""Products between the stores of sums and what joins them."""

_JOINED = 6
"""Rows that are joined behind each of the further products of a column."""

_HALVES = (MatrixWords.A_HALF, MatrixWords.TILE_HALF, MatrixWords.SCALES_HALF, MatrixWords.RESIDUAL_HALF)
"""How far the second register of rows has what the first one has."""

_Member: TypeAlias = tuple[int, int]
"""A register of rows and one of columns, whose sums are under way."""

_LANES = 16
_FLOATS, _INTS = vector_of("float", _LANES), vector_of("i32", _LANES)


@dataclass(frozen=True, slots=True)
class DigitKernel:
    """`rows` registers of rows by `columns` registers of columns, 1 or 2.

    Two rows have the sums of one column under way, so that long B is read once, or each row those of all
    columns if it `is_short`: then B stays in L1 beside the rows.
    """

    shape: MatrixShape
    rows: int
    columns: int
    is_short: bool = False

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"digits_{self.shape.tile.name}_{self.rows}x{self.columns}{'_short' if self.is_short else ''}"


def define(module: Module, kernel: DigitKernel) -> str:
    """Add `void @name(ptr a, ptr b, i64 steps, ptr descriptor)` once; returns the name.

    A has rows A_ROW apart, of which each step reads a register's row of each digit, A_LOW apart; B has the
    first step of all runs, then the second: a register of each digit of each column, `columns` of one digit
    side by side, B_STEP apart. The tile is
    of floats. If A_FINITE is not 0, that far behind the first digit of A is what `define_special` reads. Of
    the descriptor ADD and B_FINITE are not read; SPARE has SUM_BYTES.
    """
    if not module.has(kernel.name):
        writer = _Writer(module, kernel)
        writer.f.finish_later(writer.write)
    return kernel.name


class _Writer:
    """Writes one micro-kernel."""

    def __init__(self, module: Module, kernel: DigitKernel) -> None:
        params = [("a", "ptr"), ("b", "ptr"), ("steps", "i64"), ("descriptor", "ptr")]
        self.f = Function(module, kernel.name, params, internal=True, attributes="nounwind noinline")
        self.kernel, self.shape = kernel, kernel.shape
        self.by = kernel.shape.tile.instruction
        self.special = define_special(module, kernel.shape, kernel.columns)

    def write(self) -> None:
        f = self.f
        a, b, steps, self.descriptor = f.params
        words = MatrixWords.TILE, MatrixWords.SCALES, MatrixWords.RESIDUAL
        self.ahead = self._word(MatrixWords.AHEAD, "ptr")
        halves = [[a, *(self._word(word, "ptr") for word in words)]]
        if self.kernel.rows == ACROSS:
            self.far = self._word(MatrixWords.A_HALF)
            second = zip(halves[0], _HALVES, strict=True)
            halves.append([f.gep(pointer, self._word(word), "i8") for pointer, word in second])
        joins: Iterator[None] = iter(())
        for turn, members in enumerate(self._passes()):
            before = turn * len(members)
            last = self._sum(members, before, a, b, steps)
            matrix.stay_awake(f, _LANES)
            for number, (half, column) in enumerate(members):
                self._multiply(members, _alone(number), before + number, last, joins)
                for _ in joins:
                    pass
                self._store(number, half, column)
                joins = self._joins(half, column, *halves[half][1:])
        for _ in joins:
            pass
        finite = self._word(MatrixWords.A_FINITE)
        with f.when(f.icmp("ne", finite, int_(0))):
            for own, to, *_ in halves:
                f.call(self.special, "void", to, f.gep(own, finite, "i8"), b, steps, self.descriptor)
        f.ret()
        f.finish()

    def _word(self, word: MatrixWords, type_: str = "i64") -> V:
        return self.f.word(self.descriptor, word, type_)

    def _passes(self) -> Sequence[Sequence[_Member]]:
        """The registers of rows and of columns whose sums are under way together."""
        rows, columns = range(self.kernel.rows), range(self.kernel.columns)
        if self.kernel.is_short or len(rows) == 1:
            return [[(row, column) for column in columns] for row in rows]
        return [[(row, column) for row in rows] for column in columns]

    def _sum(self, members: Sequence[_Member], before: int, a: V, b: V, steps: V) -> tuple[V, V]:
        """Sum all runs but for the last step; returns where that has A and B."""
        f = self.f
        for register in range(LEVELS * len(members)):
            matrix.zero(f, self.by, register)
        listed = f.icmp("ne", self._word(MatrixWords.ENTRIES), int_(0))
        none = f.gep(self.descriptor, int_(MatrixWords.ENTRIES), "i64")
        table = f.select(listed, self._word(MatrixWords.TABLE, "ptr"), none)
        entries = f.smax(self._word(MatrixWords.ENTRIES), int_(1))
        with f.loop(f.sub(int_(1), steps), int_(1), 1, [a, b, self.ahead]) as step:
            here, *carried = step.carried
            final = f.convert("zext", f.icmp("eq", step.index, int_(0)), "i64")
            with f.loop(int_(0), f.sub(entries, final), 1, carried) as entry:
                one = f.gep(here, f.load(f.gep(table, entry.index, "i64"), "i64"), "i8")
                one, two, self.ahead = (hidden(f, pointer) for pointer in (one, *entry.carried))
                matrix.stay_awake(f, _LANES)
                order = _ALTERNATELY if len(members) == ACROSS else _alone(0)
                self._multiply(members, order, before, (one, two), iter(()))
                entry.next(f.gep(two, self._word(MatrixWords.B_STEP), "i8"), self.ahead)
            step.next(f.gep(here, self._word(MatrixWords.A_STEP), "i8"), *entry.carried)
        behind, two, self.ahead = step.carried
        here = f.gep(behind, f.sub(int_(0), self._word(MatrixWords.A_STEP)), "i8")
        final_entry = f.gep(table, f.sub(entries, int_(1)), "i64")
        return f.gep(here, f.load(final_entry, "i64"), "i8"), two

    def _store(self, number: int, half: int, column: int) -> None:
        """Store the sums of all levels of one of the registers that are under way."""
        f = self.f
        for level in range(LEVELS):
            to = self._sums(half, level * self.kernel.columns + column)
            matrix.store(f, self.by, LEVELS * number + level, to, int_(self.shape.tile.row_bytes))

    def _sums(self, half: int, register: int) -> V:
        at = half * _HALF_BYTES + register * self.shape.register_bytes
        return self.f.gep(self._word(MatrixWords.SPARE, "ptr"), int_(at), "i8")

    def _multiply(
        self,
        members: Sequence[_Member],
        order: Sequence[tuple[int, int, int]],
        before: int,
        at: tuple[V, V],
        joins: Iterator[None],
    ) -> None:
        """Products of a step, in that order, among them loads, what is asked for, and joins.

        Those of so many registers of sums are multiplied before.
        """
        f, columns, (a, b) = self.f, self.kernel.columns, at
        row, low = self._word(MatrixWords.A_ROW), self._word(MatrixWords.A_LOW)
        digits = [a, f.gep(a, low, "i8")]
        digits.append(f.gep(digits[1], low, "i8"))
        held_a, held_b = (-1, -1), (-1, -1)
        first = before * len(PRODUCTS)
        for turn, (of_a, of_b, number) in enumerate(order, first):
            half, column = members[number]
            if (of_a, half) != held_a:
                own = f.gep(digits[of_a], self.far, "i8") if half else digits[of_a]
                matrix.load(f, self.by, _A, own, row)
            if (of_b, column) != held_b:
                place = (of_b * columns + column) * self.shape.register_bytes
                matrix.load(f, self.by, _B, f.gep(b, int_(place), "i8"), int_(self.shape.tile.row_bytes))
            matrix.add_product(f, self.by, LEVELS * number + of_a + of_b, _A, _B)
            held_a, held_b = (of_a, half), (of_b, column)
            for _ in range(self._asks(turn), self._asks(turn + 1)):
                self._ask()
            if turn - first >= WAIT:
                next(joins, None)

    def _asks(self, number: int) -> int:
        """How often is asked before that product of a step of all rows and columns."""
        return ASKS * number // (self.kernel.rows * self.kernel.columns)

    def _ask(self) -> None:
        """Ask for some of what later tiles read."""
        f = self.f
        lines = self._word(MatrixWords.LINES)
        with f.loop(f.sub(int_(0), lines), int_(0), 1, [self.ahead]) as line:
            (ahead,) = line.carried
            last = self._word(MatrixWords.AHEAD_LAST, "ptr")
            at = f.select(f.icmp("ult", ahead, last), ahead, last)
            prefetch(f, at, 2)
            line.next(f.gep(at, int_(CACHE_LINE), "i8"))
        (self.ahead,) = line.carried

    def _joins(self, half: int, column: int, tile: V, scales: V, residual: V) -> Iterator[None]:
        """Add the levels of a column, times the scales of its rows and its own, some rows after the other."""
        f = self.f
        rows = self._word(MatrixWords.ROWS_HALF if half else MatrixWords.ROWS)
        by_column, bias = (
            f.load(f.gep(self._word(word, "ptr"), int_(column * _LANES), "float"), _FLOATS)
            for word in (MatrixWords.COLUMN_SCALES, MatrixWords.BIAS)
        )
        limits = [f.splat(self._word(w, "float"), _LANES) for w in (MatrixWords.LOW, MatrixWords.HIGH)]
        pitches = [
            self._word(word)
            for word in (MatrixWords.TILE_ROW, MatrixWords.SCALE_ROW, MatrixWords.RESIDUAL_ROW)
        ]
        if column:
            tile = f.gep(tile, self._word(MatrixWords.TILE_COLUMN), "i8")
            residual = f.gep(residual, self._word(MatrixWords.RESIDUAL_COLUMN), "i8")
        carried = [self._sums(half, column), tile, scales, residual]
        for begin in range(0, self.shape.tile.rows, _JOINED):
            with f.loop(int_(begin), f.smin(rows, int_(begin + _JOINED)), 1, carried) as row:
                sums, to, own, beside = row.carried
                total = joined(f, sums, self.kernel.columns * self.shape.register_bytes)
                scale = f.splat(f.load(own, "float"), _LANES)
                value = f.binary("fmul", f.binary("fmul", total, by_column), scale)
                value = added(f, added(f, value, bias), f.load(beside, _FLOATS))
                f.store(clamped(f, value, *limits), to)
                sums = f.gep(sums, int_(self.shape.tile.row_bytes), "i8")
                after = zip((to, own, beside), pitches, strict=True)
                row.next(sums, *(f.gep(at, pitch, "i8") for at, pitch in after))
            carried = row.carried
            yield


def _alone(number: int) -> Sequence[tuple[int, int, int]]:
    return [(*digits, number) for digits in PRODUCTS]


def joined(f: Function, sums: V, apart: int) -> V:
    """A vector of the sums of all levels, so many bytes apart, as floats."""
    levels = [
        f.convert("sitofp", f.load(f.gep(sums, int_(n * apart), "i8"), _INTS), "float") for n in range(LEVELS)
    ]
    base = float_(256.0, _FLOATS)
    return f.fma(f.fma(levels[0], base, levels[1]), base, levels[2])


def kernels(module: Module, shape: MatrixShape) -> tuple[Sequence[Sequence[V]], V]:
    """All micro-kernels of a shape as [rows - 1][columns - 1], and the largest one where B is short."""
    sizes = range(1, ACROSS + 1)
    found = [[V(f"@{define(module, DigitKernel(shape, r, c))}", "ptr") for c in sizes] for r in sizes]
    return found, V(f"@{define(module, DigitKernel(shape, ACROSS, ACROSS, is_short=True))}", "ptr")
