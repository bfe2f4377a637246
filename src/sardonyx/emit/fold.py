"""Reductions in registers: identity, one step, and folding the lanes of a vector."""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm import convert, maps
from sardonyx.llvm.vec import Function, V
from sardonyx.loops.nest import Reduce

_STEP = {"sum": "add", "prod": "mul", "rmax": "max", "rmin": "min"}


def identity(f: Function, r: Reduce, lanes: int, target: Target) -> V:
    """The value an accumulator starts with."""
    dtype = r.expr.dtype
    value: float
    if r.op == "sum":
        value = 0
    elif r.op == "prod":
        value = 1
    else:
        sign = 1 if r.op == "rmin" else -1
        if dtype.is_float:
            value = sign * float("inf")
        elif dtype.kind == "b":
            value = sign > 0
        else:
            signed = dtype.kind == "i"
            highest = (1 << (dtype.bits - signed)) - 1
            value = highest if sign > 0 else -(highest + 1) if signed else 0
    return convert.literal(value, dtype, lanes)


def combine(f: Function, target: Target, r: Reduce, old: V, new: V) -> V:
    """The accumulator after one more element."""
    dtype = r.expr.dtype
    if dtype.kind == "b":
        return f.binary("or" if r.op in ("rmax", "sum") else "and", old, new)
    if r.plain:
        return f.select(f.fcmp("ogt", new, old), new, old)
    return maps.apply(f, target, _STEP[r.op], [old, new], [dtype, dtype], dtype, {}, None, None)


def horizontal(f: Function, target: Target, r: Reduce, value: V) -> V:
    """One scalar from the lanes, by halves."""
    while value.lanes > 2:
        half = value.lanes // 2
        low = f.shuffle(value, value, range(half))
        high = f.shuffle(value, value, range(half, 2 * half))
        value = combine(f, target, r, low, high)
    return value if value.lanes == 1 else combine(f, target, r, f.extract(value, 0), f.extract(value, 1))
