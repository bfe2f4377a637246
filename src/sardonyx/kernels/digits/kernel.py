"""Micro-kernels on matrix registers whose numbers are digits: the sums of three levels, joined to floats.

A register of rows by one or two of columns has the sums of all levels in registers; one of A and one of B
serve all products, of which each takes one digit of the one before. Decides registers, the order of loads and
products, and what becomes of inf and NaN; must not know matrices, threads or epilogues.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.digits.special import define_special
from sardonyx.kernels.tiles.matrix import ACROSS, ASKS, MatrixShape, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, hidden, prefetch
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

_HALF_BYTES = LEVELS * ACROSS * 1024
SUM_BYTES = ACROSS * _HALF_BYTES
"""Room for the sums of all levels."""

_LANES = 16
_FLOATS, _INTS = vector_of("float", _LANES), vector_of("i32", _LANES)


@dataclass(frozen=True, slots=True)
class DigitKernel:
    """`rows` registers of rows, one after the other, by `columns` registers of columns, 1 or 2."""

    shape: MatrixShape
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """The symbol of the function."""
        return f"digits_{self.shape.tile.name}_{self.rows}x{self.columns}"


def define(module: Module, kernel: DigitKernel) -> str:
    """Add `void @name(ptr a, ptr b, i64 steps, ptr descriptor)` once; returns the name.

    A has rows A_ROW apart, of which each step reads a register's row of each digit, A_LOW apart; a step of B
    is a register of each digit of each column, `columns` of one digit side by side, B_STEP apart. The tile is
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
        tile, scales = self._word(MatrixWords.TILE, "ptr"), self._word(MatrixWords.SCALES, "ptr")
        self.ahead = self._word(MatrixWords.AHEAD, "ptr")
        self._sum(0, a, b, steps)
        self._store(0)
        if self.kernel.rows == ACROSS:
            second = f.gep(a, self._word(MatrixWords.A_HALF), "i8")
            self._sum(1, second, b, steps)
            # While registers still multiply.
            self._join(0, tile, scales, a)
            self._store(1)
            tile = f.gep(tile, self._word(MatrixWords.TILE_HALF), "i8")
            scales = f.gep(scales, self._word(MatrixWords.SCALES_HALF), "i8")
            a = second
        self._join(self.kernel.rows - 1, tile, scales, a)
        f.ret()
        f.finish()

    def _word(self, word: MatrixWords, type_: str = "i64") -> V:
        return self.f.word(self.descriptor, word, type_)

    def _sum(self, half: int, a: V, b: V, steps: V) -> None:
        """Sum all runs of one register of rows."""
        f, kernel = self.f, self.kernel
        for register in range(LEVELS * kernel.columns):
            matrix.zero(f, self.by, register)
        carried = [b, self.ahead]
        entries = self._word(MatrixWords.ENTRIES)
        with f.loop(int_(0), f.smax(entries, int_(1)), 1, carried) as entry:
            listed = f.icmp("ne", self._word(MatrixWords.ENTRIES), int_(0))
            none = f.gep(self.descriptor, int_(MatrixWords.ENTRIES), "i64")
            table = f.select(listed, self._word(MatrixWords.TABLE, "ptr"), none)
            first = f.gep(a, f.load(f.gep(table, entry.index, "i64"), "i64"), "i8")
            row, low, b_step = (
                self._word(w) for w in (MatrixWords.A_ROW, MatrixWords.A_LOW, MatrixWords.B_STEP)
            )
            step = self._word(MatrixWords.A_STEP)
            with f.loop(f.sub(int_(0), steps), int_(0), 1, [first, *entry.carried]) as each:
                one, two, self.ahead = (hidden(f, pointer) for pointer in each.carried)
                matrix.stay_awake(f, self.shape.tile.row_bytes // 4)
                self._step(half, one, two, row, low)
                each.next(f.gep(one, step, "i8"), f.gep(two, b_step, "i8"), self.ahead)
            entry.next(*each.carried[1:])
        self.ahead = entry.carried[1]

    def _sums(self, half: int) -> V:
        return self.f.gep(self._word(MatrixWords.SPARE, "ptr"), int_(half * _HALF_BYTES), "i8")

    def _store(self, half: int) -> None:
        """Store the sums of all levels."""
        f = self.f
        for register in range(LEVELS * self.kernel.columns):
            at = f.gep(self._sums(half), int_(register * self.shape.register_bytes), "i8")
            matrix.store(f, self.by, register, at, int_(self.shape.tile.row_bytes))

    def _step(self, half: int, a: V, b: V, row: V, low: V) -> None:
        """All products of a step; among them loads of what is not there yet, and what is asked for."""
        f, columns, row_bytes = self.f, self.kernel.columns, int_(self.shape.tile.row_bytes)
        digits = [a, f.gep(a, low, "i8")]
        digits.append(f.gep(digits[1], low, "i8"))
        for column in range(columns):
            held = -1, -1
            for number, (of_a, of_b) in enumerate(PRODUCTS, (half * columns + column) * len(PRODUCTS)):
                if of_a != held[0]:
                    matrix.load(f, self.by, _A, digits[of_a], row)
                if of_b != held[1]:
                    at = (of_b * columns + column) * self.shape.register_bytes
                    matrix.load(f, self.by, _B, f.gep(b, int_(at), "i8"), row_bytes)
                matrix.add_product(f, self.by, (of_a + of_b) * columns + column, _A, _B)
                held = of_a, of_b
                for _ in range(self._asks(number), self._asks(number + 1)):
                    self._ask()

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

    def _join(self, half: int, tile: V, scales: V, a: V) -> None:
        """Add the levels of each row, times its scale and those of columns, and what is not finite."""
        f, columns = self.f, self.kernel.columns
        pitch, of_columns = (
            self._word(MatrixWords.TILE_ROW),
            self._word(MatrixWords.COLUMN_SCALES, "ptr"),
        )
        by_column = [f.load(f.gep(of_columns, int_(c * _LANES), "float"), _FLOATS) for c in range(columns)]
        apart = self._word(MatrixWords.SCALE_ROW)
        carried = [self._sums(half), tile, scales]
        with f.loop(int_(0), self._word(MatrixWords.ROWS), 1, carried) as row:
            sums, to, own = row.carried
            scale = f.splat(f.load(own, "float"), _LANES)
            for column in range(columns):
                at = f.gep(sums, int_(column * self.shape.register_bytes), "i8")
                total = joined(f, at, columns * self.shape.register_bytes)
                scaled = f.binary("fmul", f.binary("fmul", total, by_column[column]), scale)
                f.store(scaled, f.gep(to, int_(column * _LANES), "float"))
            sums = f.gep(sums, int_(self.shape.tile.row_bytes), "i8")
            row.next(sums, f.gep(to, pitch, "i8"), f.gep(own, apart, "i8"))
        finite = self._word(MatrixWords.A_FINITE)
        with f.when(f.icmp("ne", finite, int_(0))):
            _, b, steps, _ = f.params
            f.call(self.special, "void", tile, f.gep(a, finite, "i8"), b, steps, self.descriptor)


def joined(f: Function, sums: V, apart: int) -> V:
    """A vector of the sums of all levels, so many bytes apart, as floats."""
    levels = [
        f.convert("sitofp", f.load(f.gep(sums, int_(n * apart), "i8"), _INTS), "float") for n in range(LEVELS)
    ]
    base = float_(256.0, _FLOATS)
    return f.fma(f.fma(levels[0], base, levels[1]), base, levels[2])


def kernels(module: Module, shape: MatrixShape) -> Sequence[Sequence[V]]:
    """All micro-kernels of a shape as [rows - 1][columns - 1]."""
    sizes = range(1, ACROSS + 1)
    return [[V(f"@{define(module, DigitKernel(shape, r, c))}", "ptr") for c in sizes] for r in sizes]
