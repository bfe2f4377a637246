"""Steps of Gaussian elimination on a matrix of doubles in scratch memory, for det and inverse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    """The call for all matrices; each takes `halves` times its size of a thread's scratch."""
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
        scratch_bytes=size * size * 8 * halves,
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


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows` rows of `pitch` doubles in row-major order at `base`; `lanes` elements are moved at once."""

    f: Function
    base: V
    rows: V
    pitch: V
    lanes: int

    def at(self, row: V, column: V) -> V:
        """The address of an element."""
        return self.f.gep(self.base, self.f.add(self.f.mul(row, self.pitch), column), "double")

    def load(self, row: V, column: V) -> V:
        """One element."""
        return self.f.load(self.at(row, column), "double")

    def exchange(self, step: V) -> V:
        """Bring the largest element of a column up; returns it, negated if rows were exchanged."""
        f = self.f
        with f.loop(f.add(step, int_(1)), self.rows, 1, [step, self.load(step, step)]) as row:
            best, value = row.carried
            other = self.load(row.index, step)
            larger = Lanes(f, other).abs() > Lanes(f, value).abs()
            row.next(f.select(larger.v, row.index, best), larger.choose(Lanes(f, other), Lanes(f, value)).v)
        best, pivot = row.carried
        moved = f.icmp("ne", best, step)
        with f.loop(step, f.select(moved, self.pitch, step)) as column:
            upper, lower = self.load(step, column.index), self.load(best, column.index)
            f.store(lower, self.at(step, column.index))
            f.store(upper, self.at(best, column.index))
        return f.select(moved, (-Lanes(f, pivot)).v, pivot)

    def eliminate(self, step: V, first: V, last: V) -> None:
        """Clear a column in the rows from `first` to `last` by the row of its pivot, which is not 0."""
        pivot = self.load(step, step)
        with self.f.loop(first, last) as row:
            self._subtract(row.index, step, Lanes(self.f, self.load(row.index, step)) / Lanes(self.f, pivot))

    def _subtract(self, row: V, step: V, factor: Lanes) -> None:
        f = self.f
        wide = Lanes(f, f.splat(factor.v, self.lanes))
        with self.columns(self.f.add(step, int_(1))) as (column, mask):
            a, b = self.vector(step, column, mask), self.vector(row, column, mask)
            f.masked_store((b - wide * a).v, self.at(row, column), mask)

    @contextmanager
    def columns(self, first: V) -> Iterator[tuple[V, V]]:
        """A loop over the columns from `first` on: the column of the first lane and the mask."""
        with self.f.loop(first, self.pitch, self.lanes) as column:
            yield column.index, self.f.tail_mask(self.f.sub(self.pitch, column.index), self.lanes)

    def vector(self, row: V, column: V, mask: V) -> Lanes:
        """Elements of a row from a column on."""
        type_ = vector_of("double", self.lanes)
        return Lanes(self.f, self.f.masked_load(self.at(row, column), type_, mask))

    def is_regular(self, step: V) -> V:
        """Whether the pivot of a step is not 0."""
        return self.f.fcmp("une", self.load(step, step), float_(0.0, "double"))
