"""Micro-kernels of digits whose operands are dense, which join the sums of the tile before meanwhile.

Units of vectors join levels while those of matrices multiply: with few steps of k that takes as long as the
products. Decides the order of loads, products and joins; must not know matrices or threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from sardonyx.base.named import IntEnum
from sardonyx.kernels.digits.kernel import LEVELS, PRODUCTS, WAIT, joined
from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.microkernel import CACHE_LINE, hidden, prefetch
from sardonyx.llvm import matrix
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_A, _B = LEVELS * ACROSS, LEVELS * ACROSS + 1
_LANES = 16
_FLOATS = vector_of("float", _LANES)


class DenseWords(IntEnum):
    """The i64 words of a descriptor.

    SUMS is room for the sums of a tile: those that are there are joined, all rows of them, to rows of floats
    TO_ROW bytes apart from TO on, with scales SCALE_ROW bytes apart from SCALES on, and those of columns at
    COLUMN_SCALES; then come those of the tile itself. NEXT_A is the first step of what is read next; LINES
    cache lines a product are asked for from AHEAD on, and none behind AHEAD_LAST.
    """

    SUMS = 0
    TO = 1
    TO_ROW = 2
    SCALES = 3
    SCALE_ROW = 4
    COLUMN_SCALES = 5
    NEXT_A = 6
    AHEAD = 7
    AHEAD_LAST = 8
    LINES = 9


def define_dense(module: Module, shape: MatrixShape, columns: int) -> str:
    """Add `void @name(ptr a, ptr b, i64 steps, ptr descriptor)` once; returns the name.

    A step of A is a register of each digit, of B one of each digit of each column, 1 or 2; at least one step.
    """
    name = f"digits_dense_{shape.tile.name}_{columns}"
    if not module.has(name):
        writer = _Writer(module, name, shape, columns)
        writer.f.finish_later(writer.write)
    return name


def define_join(module: Module, shape: MatrixShape, columns: int) -> str:
    """Add `void @name(ptr descriptor)` once, which joins the last sums; returns the name."""
    name = f"digits_join_{shape.tile.name}_{columns}"
    if not module.has(name):
        f = Function(module, name, [("descriptor", "ptr")], internal=True, attributes="nounwind noinline")
        for _ in _joins(f, shape, columns, f.params[0]):
            pass
        f.ret()
        f.finish()
    return name


def _joins(f: Function, shape: MatrixShape, columns: int, descriptor: V) -> Iterator[None]:
    """Join one vector after the other."""
    sums, to, scales, of_columns = (
        f.word(descriptor, word, "ptr")
        for word in (DenseWords.SUMS, DenseWords.TO, DenseWords.SCALES, DenseWords.COLUMN_SCALES)
    )
    to_row, scale_row = (f.word(descriptor, word) for word in (DenseWords.TO_ROW, DenseWords.SCALE_ROW))
    by_column = [f.load(f.gep(of_columns, int_(c * _LANES), "float"), _FLOATS) for c in range(columns)]
    for row in range(shape.tile.rows):
        scale = f.splat(f.load(scales, "float"), _LANES)
        for column in range(columns):
            at = f.gep(sums, int_(row * shape.tile.row_bytes + column * shape.register_bytes), "i8")
            total = joined(f, at, columns * shape.register_bytes)
            scaled = f.binary("fmul", f.binary("fmul", total, by_column[column]), scale)
            f.store(scaled, f.gep(to, int_(column * _LANES), "float"))
            yield
        to, scales = hidden(f, f.gep(to, to_row, "i8")), hidden(f, f.gep(scales, scale_row, "i8"))


class _Writer:
    """Writes one micro-kernel."""

    def __init__(self, module: Module, name: str, shape: MatrixShape, columns: int) -> None:
        params = [("a", "ptr"), ("b", "ptr"), ("steps", "i64"), ("descriptor", "ptr")]
        self.f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        self.shape, self.columns, self.by = shape, columns, shape.tile.instruction
        self.row_bytes = int_(shape.tile.row_bytes)

    def write(self) -> None:
        f, shape = self.f, self.shape
        a, b, steps, descriptor = f.params
        for register in range(LEVELS * self.columns):
            matrix.zero(f, self.by, register)
        self.lines = f.word(descriptor, DenseWords.LINES)
        self.last = f.word(descriptor, DenseWords.AHEAD_LAST, "ptr")
        ahead, next_a = (f.word(descriptor, w, "ptr") for w in (DenseWords.AHEAD, DenseWords.NEXT_A))
        size = int_(shape.planes * shape.register_bytes)
        with f.loop(f.sub(int_(1), steps), int_(0), 1, [a, b, ahead]) as step:
            of_a, of_b = (hidden(f, pointer) for pointer in step.carried[:2])
            later = hidden(f, f.gep(of_a, size, "i8"))
            ahead = self._step((of_a, of_b, later, step.carried[2]), iter(()))
            step.next(later, f.gep(of_b, f.mul(size, int_(self.columns)), "i8"), ahead)
        of_a, of_b = (hidden(f, pointer) for pointer in step.carried[:2])
        joins = _joins(f, shape, self.columns, descriptor)
        self._step((of_a, of_b, next_a, step.carried[2]), joins)
        for _ in joins:
            pass
        sums = f.word(descriptor, DenseWords.SUMS, "ptr")
        for register in range(LEVELS * self.columns):
            at_register = f.gep(sums, int_(register * shape.register_bytes), "i8")
            matrix.store(f, self.by, register, at_register, self.row_bytes)
        f.ret()
        f.finish()

    def _step(self, at: Sequence[V], joins: Iterator[None]) -> V:
        """All products of a step, and among them joins; returns from where on lines are asked for."""
        f, shape, (a, b, next_a, ahead) = self.f, self.shape, at
        matrix.stay_awake(f, _LANES)
        count = self.columns * len(PRODUCTS)
        lines = shape.planes * shape.tile.rows
        each = -(-shape.tile.rows * self.columns // (count - WAIT))
        number = 0
        for column in range(self.columns):
            held = -1, -1
            for of_a, of_b in PRODUCTS:
                if of_a != held[0]:
                    where = f.gep(a, int_(of_a * shape.register_bytes), "i8")
                    matrix.load(f, self.by, _A, where, self.row_bytes)
                if of_b != held[1]:
                    where = f.gep(b, int_((of_b * self.columns + column) * shape.register_bytes), "i8")
                    matrix.load(f, self.by, _B, where, self.row_bytes)
                matrix.add_product(f, self.by, (of_a + of_b) * self.columns + column, _A, _B)
                held = of_a, of_b
                for line in range(lines * number // count, lines * (number + 1) // count):
                    prefetch(f, f.gep(next_a, int_(line * CACHE_LINE), "i8"), 1)
                ahead = self._ask(ahead)
                number += 1
                for _ in islice(joins, each if number > WAIT else 0):
                    pass
        return ahead

    def _ask(self, ahead: V) -> V:
        """Ask for some of the B that follows."""
        f = self.f
        with f.loop(f.sub(int_(0), self.lines), int_(0), 1, [ahead]) as line:
            (at,) = line.carried
            prefetch(f, f.select(f.icmp("ult", at, self.last), at, self.last), 2)
            line.next(f.gep(at, int_(CACHE_LINE), "i8"))
        return line.carried[0]


def dense_kernels(module: Module, shape: MatrixShape) -> Sequence[Sequence[V]]:
    """The micro-kernels and the joins of one and of ACROSS registers of columns."""
    sizes = range(1, ACROSS + 1)
    return [
        [V(f"@{define(module, shape, n)}", "ptr") for n in sizes] for define in (define_dense, define_join)
    ]
