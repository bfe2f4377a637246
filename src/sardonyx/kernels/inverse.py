"""Inverses of matrices by Gauss-Jordan elimination with row exchanges, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum, auto

from sardonyx.base import dim as dims
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.kernels.elimination import Matrix
from sardonyx.kernels.tiling import split
from sardonyx.llvm.layout import Context
from sardonyx.llvm.vec import Function, Module, V, float_, int_


class Word(IntEnum):
    """Argument words: X and Y [COUNT, SIZE, SIZE] without gaps."""

    X = 0
    Y = auto()
    COUNT = auto()
    SIZE = auto()
    WORDS = auto()


def inverse_calls(
    group: Group, places: Mapping[int, Place], target: Target
) -> Iterator[tuple[NativeCall, Mapping[str, Callable[[], str]]]]:
    """The call for all matrices; each is reduced beside the identity in a thread's scratch."""
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
    symbol = f"sdx_inverse_{x.dtype.name}"
    call = NativeCall(
        symbol,
        tuple(words[n] for n in range(Word.WORDS)),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size * size * 2,
        scratch_bytes=size * size * 16,
        kind="inverse",
        plan=f"{count} matrices of {size} x {size}",
    )
    yield call, {symbol: lambda: inverse_ir(symbol, x.dtype, target)}


def inverse_ir(symbol: str, dtype: DType, target: Target) -> str:
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
        self.access = Access(f, dtype, target)
        scratch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.matrix = Matrix(f, scratch, self.size, f.mul(self.size, int_(2)), target.lanes)

    def write(self) -> None:
        """Add the function to its module."""
        f, matrix = self.f, self.matrix
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        elements = f.mul(self.size, self.size)
        with f.loop(*split(f, self.count, tid, threads)) as number:
            first = f.mul(number.index, elements)
            self._fill(first)
            with f.loop(int_(0), self.size) as step:
                matrix.exchange(step.index)
                matrix.eliminate(step.index, int_(0), step.index)
                matrix.eliminate(step.index, f.add(step.index, int_(1)), self.size)
            self._divide(first)
        f.ret()
        f.finish()

    def _fill(self, first: V) -> None:
        """The matrix, and the identity to its right."""
        f, matrix = self.f, self.matrix
        with f.loop(int_(0), self.size) as row, f.loop(int_(0), self.size) as column:
            index = f.add(first, f.add(f.mul(row.index, self.size), column.index))
            f.store(self.access.load_double(self.x, index), matrix.at(row.index, column.index))
            one = f.icmp("eq", row.index, column.index)
            value = f.select(one, float_(1.0, "double"), float_(0.0, "double"))
            f.store(value, matrix.at(row.index, f.add(column.index, self.size)))

    def _divide(self, first: V) -> None:
        """Store the right half, each row divided by its pivot."""
        f, matrix = self.f, self.matrix
        with f.loop(int_(0), self.size) as row, f.loop(int_(0), self.size) as column:
            value = matrix.load(row.index, f.add(column.index, self.size))
            quotient = f.binary("fdiv", value, matrix.load(row.index, row.index))
            index = f.add(first, f.add(f.mul(row.index, self.size), column.index))
            self.access.store_double(quotient, self.y, index)
