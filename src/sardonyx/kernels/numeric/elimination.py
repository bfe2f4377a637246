"""Steps of Gaussian elimination on a matrix of doubles in scratch memory, for det and inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, auto
from typing import TypeAlias

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Call, NativeCall, in_order
from sardonyx.kernels.share import split
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_


class Word(IntEnum):
    """Argument words: X [COUNT, SIZE, SIZE] and Y, one result for each matrix, both without gaps."""

    X = 0
    Y = auto()
    COUNT = auto()
    SIZE = auto()
    WORDS = auto()


Body: TypeAlias = "Callable[[Elimination, V, V], None]"
"""Writes what is done with one matrix: its number, and the position of its first element in X."""


def elimination_call(group: Group, places: Mapping[int, Place], goal: Goal, halves: int, body: Body) -> Call:
    """The call for all matrices; each takes `halves` times its width of a thread's scratch, and the gaps."""
    root, place = group.root, group.place
    assert place is not None
    (x,) = root.args
    source, count, size = places[x.id], dims.product(x.shape[:-2]), x.shape[-1]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.COUNT: count,
        Word.SIZE: size,
    }
    symbol = f"sdx_{root.prim}_{x.dtype.name}"
    call = NativeCall(
        symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size * size * halves,
        scratch_bytes=size * (size * halves + goal.target.lanes) * 8,
        kind=root.prim,
        plan=f"{count} matrices of {size} x {size}",
    )
    return call, {symbol: lambda: elimination_ir(symbol, x.dtype, goal.target, halves, body)}


def elimination_ir(symbol: str, dtype: DType, target: Target, halves: int, body: Body) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`; threads share the matrices."""
    module = Module()
    e = Elimination(module, symbol, dtype, target, halves)
    f, elements = e.f, e.f.mul(e.size, e.size)
    with f.loop(*split(f, e.count, e.tid, e.threads)) as number:
        body(e, number.index, f.mul(number.index, elements))
    f.ret()
    f.finish()
    return module.text()


class Elimination:
    """What the kernels of matrices share: their words, access to elements, and the matrix in scratch."""

    def __init__(self, module: Module, symbol: str, dtype: DType, target: Target, halves: int) -> None:
        f = self.f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
        args, ctx = f.params
        self.x, self.y = (f.word(args, w, "ptr") for w in (Word.X, Word.Y))
        self.count, self.size = (f.word(args, w) for w in (Word.COUNT, Word.SIZE))
        self.tid, self.threads = f.word(ctx, Context.TID), f.word(ctx, Context.NTHREADS)
        self.access = Access(f, dtype, target)
        scratch = f.word(ctx, Context.SCRATCH, "ptr")
        self.matrix = Matrix(f, scratch, self.size, f.mul(self.size, int_(halves)), target.lanes)

    def load_row(self, position: V, row: V) -> None:
        """Copy a row of X, from a position on, into the matrix; the gap behind the matrix becomes 0."""
        f, matrix = self.f, self.matrix
        matrix.store(int_(0, vector_of("double", matrix.lanes)), row, matrix.columns)
        with f.loop(int_(0), self.size, matrix.lanes) as column:
            mask = f.tail_mask(f.sub(self.size, column.index), matrix.lanes)
            doubles = self.access.load_doubles(self.x, f.add(position, column.index), mask)
            matrix.store(doubles, row, column.index)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of `columns` doubles in row-major order at `base`, behind each a gap of as many as a vector.

    Vectors are whole, as loads after masked stores have to wait; what they write into the gaps is never used.
    """

    f: Function
    base: V
    rows: V
    columns: V
    lanes: int

    def at(self, row: V, column: V) -> V:
        """The address of an element."""
        pitch = self.f.add(self.columns, int_(self.lanes))
        return self.f.gep(self.base, self.f.add(self.f.mul(row, pitch), column), "double")

    def load(self, row: V, column: V) -> V:
        """One element."""
        return self.f.load(self.at(row, column), "double")

    def vector(self, row: V, column: V) -> Lanes:
        """Elements of a row from a column on."""
        return Lanes(self.f, self.f.load(self.at(row, column), vector_of("double", self.lanes), 8))

    def store(self, value: V, row: V, column: V) -> None:
        """Store a vector into a row from a column on."""
        self.f.store(value, self.at(row, column), 8)

    def exchange(self, step: V) -> V:
        """Bring the largest element of a column up; returns it, negated if rows were exchanged."""
        f = self.f
        first = self.load(step, step)
        carried = [step, first, Lanes(f, first).abs().v]
        with f.loop(f.add(step, int_(1)), self.rows, 1, carried) as row:
            best, value, size = row.carried
            other = self.load(row.index, step)
            magnitude = Lanes(f, other).abs()
            larger = magnitude > Lanes(f, size)
            row.next(
                f.select(larger.v, row.index, best),
                larger.choose(Lanes(f, other), Lanes(f, value)).v,
                larger.choose(magnitude, Lanes(f, size)).v,
            )
        best, pivot, _ = row.carried
        moved = f.icmp("ne", best, step)
        with f.loop(step, f.select(moved, self.columns, step), self.lanes) as column:
            upper, lower = self.vector(step, column.index), self.vector(best, column.index)
            self.store(lower.v, step, column.index)
            self.store(upper.v, best, column.index)
        return f.select(moved, (-Lanes(f, pivot)).v, pivot)

    def eliminate(self, step: V, first: V, last: V) -> None:
        """Clear a column in the rows from `first` to `last` by the row of its pivot, which is not 0."""
        pivot = self.load(step, step)
        with self.f.loop(first, last) as row:
            self._subtract(row.index, step, Lanes(self.f, self.load(row.index, step)) / Lanes(self.f, pivot))

    def _subtract(self, row: V, step: V, factor: Lanes) -> None:
        f = self.f
        wide = Lanes(f, f.splat(factor.v, self.lanes))
        with f.loop(f.add(step, int_(1)), self.columns, self.lanes) as column:
            a, b = self.vector(step, column.index), self.vector(row, column.index)
            self.store((b - wide * a).v, row, column.index)

    def is_regular(self, step: V) -> V:
        """Whether the pivot of a step is not 0."""
        return self.f.fcmp("une", self.load(step, step), float_(0.0, "double"))
