"""The places of nonzero elements. Their number is known before: the shape of the result depends on it."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access, compressed
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, Module, V, int_

_SIZES = 4
"""The words before the sizes of x: its address, that of the result, the result's columns, the lines of x."""


def nonzero_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that writes the places; one thread does it all."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    x = root.args[0]
    shape = x.shape or (1,)
    source = places[x.id]
    symbol = f"sdx_nonzero_{x.dtype.name}_{len(shape)}"
    words: list[Argument] = [
        Address.of(source),
        Address.of(place),
        root.shape[1],
        dims.product(shape[:-1]),
        *shape,
    ]
    call = NativeCall(
        symbol,
        tuple(words),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size,
        kind="nonzero",
        plan=f"places of {root.shape[1]} elements",
    )
    yield call, {symbol: lambda: nonzero_ir(symbol, x.dtype, len(shape), target)}


def nonzero_ir(symbol: str, dtype: DType, rank: int, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)` for tensors of one rank."""
    module = Module()
    f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    x, y = f.word(args, 0, "ptr"), f.word(args, 1, "ptr")
    columns, lines = f.word(args, 2), f.word(args, 3)
    sizes = [f.word(args, _SIZES + axis) for axis in range(rank)]
    access, length, lanes = Access(f, dtype, target), sizes[-1], target.lanes
    first = f.icmp("eq", f.word(ctx, Context.TID), int_(0))
    with f.loop(int_(0), f.select(first, lines, int_(0)), 1, [int_(0)]) as line:
        outer = _decomposed(f, line.index, sizes[:-1])
        begin = f.mul(line.index, length)
        with f.loop(int_(0), length, lanes, line.carried) as block:
            mask = f.tail_mask(f.sub(length, block.index), lanes)
            hits = _not_zero(f, access.load_lanes(x, f.add(begin, block.index), mask), dtype)
            along, count = compressed(f, f.iota(lanes, "i32"), f.binary("and", mask, hits), target)
            along = f.add(f.convert("zext", along, "i64"), f.splat(block.index, lanes))
            column = block.carried[0]
            room = f.tail_mask(f.smin(count, f.sub(columns, column)), lanes)
            for axis, place in enumerate([*(f.splat(index, lanes) for index in outer), along]):
                f.masked_store(place, f.gep(y, f.add(f.mul(columns, int_(axis)), column), "i64"), room)
            block.next(f.add(column, count))
        line.next(*block.carried)
    f.ret()
    f.finish()
    return module.text()


def _not_zero(f: Function, x: V, dtype: DType) -> V:
    return x if dtype is dt.BOOL else Lanes(f, x).not_zero().v


def _decomposed(f: Function, index: V, sizes: list[V]) -> list[V]:
    """The index along each axis of a row-major index."""
    result = []
    for size in reversed(sizes):
        result.append(f.binary("urem", index, size))
        index = f.binary("udiv", index, size)
    return result[::-1]
