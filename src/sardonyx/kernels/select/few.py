"""The few greatest entries of a short line in order: each is the greatest of what is below the last.

Decides how entries are compared; must not know what keys stand for.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

Keys = Callable[[Function, V, V, V], V]
"""Writes the vector of unsigned 32-bit keys of a line (a pointer) from a place on, where a mask is on."""

FEW = 16
"""Entries that are found one after the other."""

SHORT = 256
"""Elements of a line that are looked through for each."""

_SIGN = 1 << 63


def define_few(module: Module, name: str, keys: Keys, target: Target) -> str:
    """Add `void @name_few(ptr line, i64 size, i64 k, ptr best)`; returns its name.

    0 < k <= size <= SHORT. `best` receives k entries of 64 bits, the greatest first: a key above the
    complement of its place.
    """
    symbol = f"{name}_few"
    params = [("line", "ptr"), ("size", "i64"), ("k", "i64"), ("best", "ptr")]
    f = Function(module, symbol, params, internal=True, attributes="nounwind noinline")
    line, size, k, best = f.params
    lanes = target.lanes
    none = f.splat(int_(-_SIGN), lanes)
    entries = f.alloca("i64", SHORT)
    with f.loop(int_(0), size, lanes) as block:
        mask = f.tail_mask(f.sub(size, block.index), lanes)
        entry = _entries(f, keys(f, line, block.index, mask), block.index)
        f.store(f.select(mask, entry, none), f.gep(entries, block.index, "i64"))
    with f.loop(int_(0), k, 1, [int_(_SIGN - 1)]) as found:
        (most,) = found.carried
        limit = f.splat(most, lanes)
        with f.loop(int_(0), size, lanes, [none]) as block:
            entry = f.load(f.gep(entries, block.index, "i64"), none.type)
            below = f.select(f.icmp("sle", entry, limit), entry, none)
            block.next(f.smax(block.carried[0], below))
        greatest = f.call(f"llvm.vector.reduce.smax.{mangle(none.type)}", "i64", block.carried[0])
        f.store(f.binary("xor", greatest, int_(-_SIGN)), f.gep(best, found.index, "i64"), 8)
        found.next(f.sub(greatest, int_(1)))
    f.ret()
    f.finish()
    return symbol


def _entries(f: Function, keys: V, first: V) -> V:
    """Entries that order as signed integers."""
    lanes = keys.lanes
    places = f.add(f.splat(f.convert("trunc", first, "i32"), lanes), f.iota(lanes, "i32"))
    low = f.convert("zext", f.binary("xor", places, int_(-1, places.type)), "i64")
    signed = f.binary("xor", keys, int_(-(1 << 31), keys.type))
    wide = vector_of("i64", lanes)
    high = f.binary("shl", f.convert("zext", signed, "i64"), int_(32, wide))
    return f.binary("or", high, low)
