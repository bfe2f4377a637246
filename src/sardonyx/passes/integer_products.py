"""Integer matrix products and convolutions, exactly: on tiles of small integers, or on the float kernels.

Sums of products of small integers are exact in float32 while they stay below 2**24, so where no tile serves,
a contraction over few enough terms is computed in float32; longer ones are cut into such pieces, added as
integers.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, make
from sardonyx.passes.narrow import is_narrow, narrow

_EXACT = 1 << 24


def integer_products(graph: Graph, goal: Goal) -> Graph:
    """Contractions of 8-bit values as narrow or as float contractions; others are left alone."""
    return graph if graph.primitives.isdisjoint(("dot", "conv")) else graph.map(partial(_rewrite, goal))


def _rewrite(goal: Goal, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim not in ("dot", "conv") or not value.dtype.is_int or is_narrow(value):
        return value
    if exact := narrow(value, goal):
        return exact
    left, right = (_range(a) for a in value.args)
    if left is None or right is None:
        return value
    terms = _EXACT // max(1, max(map(abs, left)) * max(map(abs, right)))
    if value.prim == "dot":
        return _dot(value, terms)
    return _conv(value, terms, goal.target.channel_block)


def _dot(value: Value, terms: int) -> Value:
    a, b = value.args
    depth = a.shape[-1]
    if not isinstance(depth, int) or terms < 32:
        return value
    a, b = a.cast(dt.F32), b.cast(dt.F32)
    total: Value | None = None
    for at in range(0, max(1, depth), terms):
        count = min(terms, depth - at)
        left = a.slice((*(0,) * (a.rank - 1), at), (*a.shape[:-1], count))
        right = b.slice((*(0,) * (b.rank - 2), at, 0), (*b.shape[:-2], count, b.shape[-1]))
        part = left.dot(right).cast(value.dtype)
        total = part if total is None else total + part
    assert total is not None
    return total


def _conv(value: Value, terms: int, block: int) -> Value:
    x, w = value.args
    per, taps = w.shape[1], int(np.prod([int(k) for k in w.shape[2:]]))  # type: ignore[arg-type]
    channels = terms // taps
    if not isinstance(per, int) or channels < 1 or (value.attrs["group"] > 1 and channels < per):
        return value
    x, w = x.cast(dt.F32), w.cast(dt.F32)
    total: Value | None = None
    step = per if channels >= per else channels // block * block or channels
    for at in range(0, max(1, per), step):
        count = min(step, per - at)
        whole = count == per
        part_x = x if whole else x.slice((0, at, *(0,) * (x.rank - 2)), (x.shape[0], count, *x.shape[2:]))
        part_w = w if whole else w.slice((0, at, *(0,) * (w.rank - 2)), (w.shape[0], count, *w.shape[2:]))
        part = make("conv", (part_x, part_w), value.attrs, dt.F32, value.shape).cast(value.dtype)
        total = part if total is None else total + part
    assert total is not None
    return total


def _range(value: Value) -> tuple[int, int] | None:
    """Least and greatest value an integer tensor can hold, if they are small."""
    if value.is_numeric_const and value.data is not None and value.data.size:
        return int(value.data.min()), int(value.data.max())
    match value.prim:
        case "cast" if value.args[0].dtype.is_int and (inner := _range(value.args[0])):
            return inner
        case "reshape" | "transpose" | "broadcast" | "slice" | "window" | "gather":
            return _range(value.args[0])
        case "sub" | "add":
            left, right = _range(value.args[0]), _range(value.args[1])
            if left and right:
                low, high = (right[0], right[1]) if value.prim == "add" else (-right[1], -right[0])
                return left[0] + low, left[1] + high
            return None
    if value.dtype.is_int and value.dtype.bits == 8:
        return (0, 255) if value.dtype.kind == "u" else (-128, 127)
    return None
