"""Determinants of matrices by elimination with row exchanges, in double precision."""

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
from sardonyx.llvm.vec import Function, Module, float_, int_


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
        self.access = Access(f, dtype, target)
        scratch = f.word(self.ctx, Context.SCRATCH, "ptr")
        self.matrix = Matrix(f, scratch, self.size, self.size, target.lanes)

    def write(self) -> None:
        """Add the function to its module."""
        f, matrix = self.f, self.matrix
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        elements = f.mul(self.size, self.size)
        with f.loop(*split(f, self.count, tid, threads)) as number:
            first = f.mul(number.index, elements)
            with f.loop(int_(0), elements) as loop:
                value = self.access.load_double(self.x, f.add(first, loop.index))
                f.store(value, f.gep(matrix.base, loop.index, "double"))
            with f.loop(int_(0), self.size, 1, [float_(1.0, "double")]) as step:
                pivot = matrix.exchange(step.index)
                below = f.add(step.index, int_(1))
                matrix.eliminate(step.index, below, f.select(matrix.is_regular(step.index), self.size, below))
                step.next(f.binary("fmul", step.carried[0], pivot))
            self.access.store_double(step.carried[0], self.y, number.index)
        f.ret()
        f.finish()
