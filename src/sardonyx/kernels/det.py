"""Determinants of matrices by elimination with row exchanges, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum, auto

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.tiling import split
from sardonyx.llvm.convert import compute_type
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.layout import Context
from sardonyx.llvm.vec import Function, Module, V, float_, int_, vector_of


class Word(IntEnum):
    """Argument words: X [COUNT, SIZE, SIZE] without gaps, Y [COUNT]."""

    X = 0
    Y = auto()
    COUNT = auto()
    SIZE = auto()
    WORDS = auto()


def det_calls(
    group: Group, places: Mapping[int, Place], target: Target
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The call for all matrices; each is eliminated in a thread's scratch."""
    root, place = group.root, group.place
    assert place is not None
    (x,) = root.args
    source, count, size = places[x.id], dims.product(x.shape[:-2]), x.shape[-1]
    words: dict[int, Argument] = {
        Word.X: Address(source.storage, source.offset),
        Word.Y: Address(place.storage, place.offset),
        Word.COUNT: count,
        Word.SIZE: size,
    }
    symbol = f"sdx_det_{x.dtype.name}"
    call = NativeCall(
        symbol,
        tuple(words[n] for n in range(Word.WORDS)),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size * size,
        scratch_bytes=size * size * 8,
        kind="det",
        plan=f"{count} matrices of {size} x {size}",
    )
    yield call, {symbol: lambda: det_ir(symbol, x.dtype, target)}


def det_ir(symbol: str, dtype: DType, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, symbol, dtype, target).write()
    return module.text()


class _Writer:
    """Writes the kernel."""

    def __init__(self, module: Module, symbol: str, dtype: DType, target: Target) -> None:
        f = self.f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
        args, self.ctx = f.params
        self.x, self.y = (f.word(args, w, "ptr") for w in (Word.X, Word.Y))
        self.count, self.size = (f.word(args, w) for w in (Word.COUNT, Word.SIZE))
        self.access, self.dtype, self.lanes = Access(f, dtype, target), dtype, target.lanes
        self.matrix = f.word(self.ctx, Context.SCRATCH, "ptr")

    def write(self) -> None:
        """Add the function to its module."""
        f = self.f
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        elements = f.mul(self.size, self.size)
        with f.loop(*split(f, self.count, tid, threads)) as number:
            first = f.mul(number.index, elements)
            with f.loop(int_(0), elements) as loop:
                value = self.access.load(self.x, f.add(first, loop.index))
                f.store(f.convert("fpext", value, "double"), f.gep(self.matrix, loop.index, "double"))
            with f.loop(int_(0), self.size, 1, [float_(1.0, "double")]) as step:
                pivot = self._exchange(step.index)
                self._eliminate(step.index)
                step.next(f.binary("fmul", step.carried[0], pivot))
            result = step.carried[0]
            if self.dtype is not dt.F64:
                result = f.convert("fptrunc", result, compute_type(self.dtype))
            self.access.store(result, self.y, number.index)
        f.ret()
        f.finish()

    def _at(self, row: V, column: V) -> V:
        return self.f.gep(self.matrix, self.f.add(self.f.mul(row, self.size), column), "double")

    def _exchange(self, step: V) -> V:
        """Bring the largest element of a column up; returns it, negated if rows were exchanged."""
        f = self.f
        first = f.load(self._at(step, step), "double")
        with f.loop(f.add(step, int_(1)), self.size, 1, [step, first]) as row:
            best, value = row.carried
            other = f.load(self._at(row.index, step), "double")
            larger = Lanes(f, other).abs() > Lanes(f, value).abs()
            row.next(f.select(larger.v, row.index, best), larger.choose(Lanes(f, other), Lanes(f, value)).v)
        best, pivot = row.carried
        moved = f.icmp("ne", best, step)
        with f.loop(step, f.select(moved, self.size, step)) as column:
            a, b = self._at(step, column.index), self._at(best, column.index)
            upper, lower = f.load(a, "double"), f.load(b, "double")
            f.store(lower, a)
            f.store(upper, b)
        return f.select(moved, (-Lanes(f, pivot)).v, pivot)

    def _eliminate(self, step: V) -> None:
        """Clear the column below the pivot; a pivot of 0 leaves the rows as they are."""
        f, lanes = self.f, self.lanes
        pivot = f.load(self._at(step, step), "double")
        below = f.add(step, int_(1))
        some = f.fcmp("une", pivot, float_(0.0, "double"))
        with f.loop(below, f.select(some, self.size, below)) as row:
            factor = Lanes(f, f.load(self._at(row.index, step), "double")) / Lanes(f, pivot)
            wide = Lanes(f, f.splat(factor.v, lanes))
            with f.loop(below, self.size, lanes) as column:
                mask = f.tail_mask(f.sub(self.size, column.index), lanes)
                type_ = vector_of("double", lanes)
                a = Lanes(f, f.masked_load(self._at(step, column.index), type_, mask))
                at = self._at(row.index, column.index)
                b = Lanes(f, f.masked_load(at, type_, mask))
                f.masked_store((b - wide * a).v, at, mask)
