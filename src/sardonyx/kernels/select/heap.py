"""Sorting in place with a heap, and keys that order elements of any type as integers.

Decides how elements compare: NaN above all numbers, -0 equal to 0. Must not know what is sorted.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.dtype import DType
from sardonyx.llvm.convert import compute_type
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_

Less = Callable[[Function, V, V, V], V]
"""Writes the i1 whether one entry comes before another; the first operand is the context pointer."""


_CHILDREN = 4


def key_bits(dtype: DType) -> int:
    """The width of the keys of an element type."""
    return 64 if dtype.bits == 64 else 32


def key_of(f: Function, value: V, dtype: DType) -> V:
    """An unsigned integer that orders like the element; for vectors lane by lane."""
    bits = key_bits(dtype)
    scalar = f"i{bits}"
    sign = -(1 << (bits - 1))
    if dtype.is_float:
        x = Lanes(f, value) + 0.0
        raw = x.bits(scalar)
        ordered = raw ^ ((raw >> (bits - 1)) | sign)
        return x.is_nan().choose(ordered.like(-1), ordered).v
    if compute_type(dtype) == scalar:
        wide = value
    else:
        wide = f.convert("sext" if dtype.kind == "i" else "zext", value, scalar)
    return f.binary("xor", wide, int_(sign, wide.type)) if dtype.kind == "i" else wide


def define_sort(module: Module, name: str, entry: str, less: Less) -> tuple[str, str]:
    """Add a heap's functions for entries of an integer type; returns the names of `build` and `sink`.

    `void @sink(ptr context, ptr entries, i64 at, i64 size)` restores the heap whose first entry is the last
    in order, after entry `at` was replaced; `void @build(ptr context, ptr entries, i64 size)` makes one.
    """
    sink, build = f"{name}_sink", f"{name}_build"
    _write_sink(module, sink, entry, less)
    params = [("context", "ptr"), ("entries", "ptr"), ("size", "i64")]
    f = Function(module, build, params, internal=True, attributes="nounwind noinline")
    context, entries, size = f.params
    parents = f.binary("sdiv", f.add(size, int_(_CHILDREN - 2)), int_(_CHILDREN))
    with f.loop(int_(0), parents) as loop:
        at = f.sub(f.sub(parents, int_(1)), loop.index)
        f.call(sink, "void", context, entries, at, size)
    f.ret()
    f.finish()
    return build, sink


def _write_sink(module: Module, name: str, entry: str, less: Less) -> None:
    params = [("context", "ptr"), ("entries", "ptr"), ("at", "i64"), ("size", "i64")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    context, entries, first, size = f.params
    align = size_of(entry)
    moved = f.load(f.gep(entries, first, entry), entry, align)
    last = f.sub(size, int_(1))
    with f.repeat(lambda _, child: f.icmp("slt", child, size), [first, _child(f, first)]) as loop:
        at, child = loop.carried
        candidate = f.load(f.gep(entries, child, entry), entry, align)
        others = [f.smin(f.add(child, int_(n)), last) for n in range(1, _CHILDREN)]
        pairs = [(child, candidate), *((n, f.load(f.gep(entries, n, entry), entry, align)) for n in others)]
        while len(pairs) > 1:
            pairs = [_later(f, less, context, *two) for two in zip(pairs[::2], pairs[1::2], strict=True)]
        ((child, larger),) = pairs
        sinks = less(f, context, moved, larger)
        with f.when(sinks):
            f.store(larger, f.gep(entries, at, entry), align)
        following = f.select(sinks, child, at)
        loop.next(following, f.select(sinks, _child(f, child), size))
    f.store(moved, f.gep(entries, loop.carried[0], entry), align)
    f.ret()
    f.finish()


def _later(f: Function, less: Less, context: V, a: tuple[V, V], b: tuple[V, V]) -> tuple[V, V]:
    """The later in order of two (place, entry) pairs."""
    use_b = less(f, context, a[1], b[1])
    return f.select(use_b, b[0], a[0]), f.select(use_b, b[1], a[1])


def _child(f: Function, at: V) -> V:
    return f.add(f.mul(at, int_(_CHILDREN)), int_(1))


def sort_heap(f: Function, sink: str, context: V, entries: V, size: V, entry: str) -> None:
    """Turn a heap into its entries in order."""
    align = size_of(entry)
    with f.loop(int_(1), size) as loop:
        last = f.sub(size, loop.index)
        top, end = entries, f.gep(entries, last, entry)
        a, b = f.load(top, entry, align), f.load(end, entry, align)
        f.store(b, top, align)
        f.store(a, end, align)
        f.call(sink, "void", context, entries, int_(0), last)
