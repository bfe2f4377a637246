"""Values by key: constant keys are sorted when the program is made, each element is found by bisection."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from typing import Any

import numpy as np

from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import const
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.select.heap import key_bits, key_of
from sardonyx.kernels.share import split
from sardonyx.llvm.vec import Function, Module, int_

Array = np.ndarray[Any, Any]


class Word(IntEnum):
    """Argument words: X and Y [SIZE]; KEYS are sorted integers; after their VALUES comes the default."""

    X = 0
    Y = auto()
    SIZE = auto()
    KEYS = auto()
    VALUES = auto()
    COUNT = auto()
    WORDS = auto()


def lookup_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call for tables of numbers."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    x, *table = root.args
    keys, values, default = (value.data for value in table)
    assert keys is not None
    assert values is not None
    assert default is not None
    same = keys.astype(x.dtype.numpy)
    possible = (same == keys) | ((same != same) & (keys != keys))
    order, first = np.unique(integers(same[possible], x.dtype), return_index=True)
    found = np.append(values[possible][first], default.reshape(-1)[:1].astype(values.dtype))
    stored = [_stored(order), _stored(found)]
    source = places[x.id]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.SIZE: x.size,
        Word.KEYS: Address(stored[0]),
        Word.VALUES: Address(stored[1]),
        Word.COUNT: order.size,
    }
    symbol = f"sdx_lookup_{x.dtype.name}_{root.dtype.name}"
    call = NativeCall(
        symbol,
        in_order(words, Word.WORDS),
        (source.storage, *stored),
        (place.storage,),
        root.origins,
        work=x.size * 20,
        kind="lookup",
        plan=f"{order.size} keys",
    )
    yield call, {symbol: lambda: lookup_ir(symbol, x.dtype, root.dtype, target)}


def integers(keys: Array, dtype: DType) -> Array:
    """What `key_of` makes of the elements."""
    bits = key_bits(dtype)
    unsigned: Any = np.uint32 if bits == 32 else np.uint64
    sign = unsigned(1 << (bits - 1))
    if dtype.is_float:
        real = keys.astype(np.float64 if bits == 64 else np.float32) + 0
        raw: Array = real.view(unsigned)
        ordered = np.where(raw & sign, np.invert(raw), raw | sign)
        return np.where(np.isnan(real), np.invert(unsigned(0)), ordered)
    raw = keys.astype(np.int64 if dtype.kind == "i" else np.uint64).astype(unsigned)
    return np.bitwise_xor(raw, sign) if dtype.kind == "i" else raw


def _stored(array: Array) -> Storage:
    value = const(np.ascontiguousarray(array))
    return Storage("const", value.dtype, array.size, 0, value)


def lookup_ir(symbol: str, keys: DType, values: DType, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    x, y, table, found = (f.word(args, w, "ptr") for w in (Word.X, Word.Y, Word.KEYS, Word.VALUES))
    size, count = f.word(args, Word.SIZE), f.word(args, Word.COUNT)
    scalar = f"i{key_bits(keys)}"
    source, result = Access(f, keys, target), Access(f, values, target)
    mine = split(f, size, f.word(ctx, Context.TID), f.word(ctx, Context.NTHREADS))
    with f.loop(*mine) as loop:
        key = key_of(f, source.load(x, loop.index), keys)
        with f.repeat(lambda low, high: f.icmp("slt", low, high), [int_(0), count]) as search:
            low, high = search.carried
            middle = f.binary("lshr", f.add(low, high), int_(1))
            before = f.icmp("ult", f.load(f.gep(table, middle, scalar), scalar), key)
            search.next(f.select(before, f.add(middle, int_(1)), low), f.select(before, high, middle))
        at = search.carried[0]
        inside = f.icmp("slt", at, count)
        there = f.load(f.gep(table, f.select(inside, at, int_(0)), scalar), scalar)
        hit = f.binary("and", inside, f.icmp("eq", there, key))
        result.store(result.load(found, f.select(hit, at, count)), y, loop.index)
    f.ret()
    f.finish()
    return module.text()
