"""A short line in order: an element's place there is how many are before it, which vectors count.

Decides how ranks are counted; must not know what keys stand for.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.target import Target
from sardonyx.kernels.select.sieve import lanes_of
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

Keys = Callable[[Function, V, V, V], V]
"""Writes the vector of unsigned keys of a line (a pointer) from a place on, where a mask is on."""

_LONGEST, _VECTORS = 128, 24
"""Elements, and vectors, of the longest line that is ranked: it takes their product."""


def most_ranked(bits: int, target: Target) -> int:
    """Elements of the longest line that is ranked, by keys of so many bits."""
    return min(_LONGEST, _VECTORS * lanes_of(bits, target))


def define_ranked(module: Module, name: str, keys: Keys, bits: int, target: Target) -> str:
    """Add `void @name_ranked(ptr line, i64 size, ptr places)`; returns its name.

    0 < size <= most_ranked. `places` receives those of all elements, integers as wide as keys: that of the
    greatest key first, of equal keys the least place first.
    """
    symbol = f"{name}_ranked"
    params = [("line", "ptr"), ("size", "i64"), ("places", "ptr")]
    f = Function(module, symbol, params, internal=True, attributes="nounwind noinline")
    line, size, places = f.params
    lanes, key = lanes_of(bits, target), f"i{bits}"
    wide = vector_of(key, lanes)
    signed, ranks = (f.alloca(key, _LONGEST) for _ in range(2))
    with f.loop(int_(0), size, lanes) as block:
        mask = f.tail_mask(f.sub(size, block.index), lanes)
        found = f.binary("xor", keys(f, line, block.index, mask), int_(-(1 << (bits - 1)), wide))
        f.store(found, f.gep(signed, block.index, key))
    with f.loop(int_(0), size, lanes) as block:
        own = f.load(f.gep(signed, block.index, key), wide)
        end = f.smin(size, f.add(block.index, int_(lanes)))
        rank = int_(0, wide)
        for predicate, first, last in (
            ("sge", int_(0), block.index),
            ("", block.index, end),
            ("sgt", end, size),
        ):
            with f.loop(first, last, 1, [rank]) as other:
                met = f.splat(f.load(f.gep(signed, other.index, key), key), lanes)
                if predicate:
                    before = f.icmp(predicate, met, own)
                else:
                    lane = f.convert("trunc", f.sub(other.index, block.index), key)
                    is_behind = f.icmp("slt", f.splat(lane, lanes), f.iota(lanes, key))
                    ties = f.binary("and", is_behind, f.icmp("eq", met, own))
                    before = f.binary("or", f.icmp("sgt", met, own), ties)
                other.next(f.sub(other.carried[0], f.convert("sext", before, key)))
            (rank,) = other.carried
        f.store(rank, f.gep(ranks, block.index, key))
    with f.loop(int_(0), size) as place:
        rank = f.convert("zext", f.load(f.gep(ranks, place.index, key), key), "i64")
        f.store(f.convert("trunc", place.index, key), f.gep(places, rank, key))
    f.ret()
    f.finish()
    return symbol
