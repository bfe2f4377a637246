"""Primitives that no kernel family takes, written as maps and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, const, iota, make, map_
from sardonyx.passes.narrow import is_narrow
from sardonyx.passes.rounded_products import is_rounded
from sardonyx.passes.signals import two_dimensional
from sardonyx.passes.transposed import as_convolution

_LEAST_ROWS = 4
"""Output channels of a group below which a matrix product is mostly idle."""
_LONGEST_SIDE, _LEAST_RESULTS = 4, 512
"""Of matrices that whole rows are multiplied with in lanes, and of what pays for code of its own."""
_MOST_COPIED = 1 << 24
"""Elements of copies beyond which memory costs more than a product gains."""


_DECOMPOSED = ("argmax", "argmin", "dot", "conv", "conv_transpose")


def decompose(graph: Graph, goal: Goal) -> Graph:
    """argmax, integer dots and odd convolutions as reductions over maps."""
    return graph if graph.primitives.isdisjoint(_DECOMPOSED) else graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    match value.prim:
        case "argmax" | "argmin":
            return arg_extreme(value)
        case "dot" | "conv" if value.dtype in (dt.F16, dt.BF16):
            return in_single(value)
        case "dot" if not _contracts(value) or _is_thin(value):
            return dot_as_sum(value)
        case "dot" if value.rank > 4:
            return dot_of_batch(value)
        case "conv" if value.dtype is not dt.F32 or value.rank > 4 or not value.args[1].is_const:
            return conv_as_product(value) if _fills_tiles(value) else conv_as_sum(value)
        case "conv":
            return conv_padded(value)
        case "conv_transpose":
            return _again(as_convolution(value), args)
    return value


def _again(value: Value, leaves: tuple[Value, ...]) -> Value:
    """The values newly built over `leaves`, rewritten too."""
    done = {v.id: v for v in leaves}

    def visit(v: Value) -> Value:
        if v.id not in done:
            done[v.id] = _rewrite(v, tuple(visit(a) for a in v.args)) if v.args else v
        return done[v.id]

    return visit(value)


def _contracts(value: Value) -> bool:
    types = tuple(a.dtype for a in value.args)
    return types in ((dt.F32, dt.F32), (dt.F64, dt.F64)) or is_rounded(value) or is_narrow(value)


def _is_thin(value: Value) -> bool:
    """Whether tiles would be mostly empty, or be packed for one vector each.

    To pack takes as long as to multiply once. A matrix that several vectors share is worth it.
    """
    a, b = value.args
    if b.is_numeric_const:
        return b.dtype in (dt.F32, dt.F64) and (b.shape[-1] == 1 or _is_long(value))
    batch = value.shape[:-2]
    matrices = [m for m, vector in ((b, a.shape[-2]), (a, b.shape[-1])) if vector == 1]
    return any(m.shape[:-2] == batch for m in matrices) or _is_long(value)


def _is_long(value: Value) -> bool:
    """Whether very many rows are multiplied with a matrix that is as good as nothing to a tile."""
    sides = value.args[1].shape[-2:]
    is_small = all(isinstance(n, int) and n <= _LONGEST_SIDE for n in sides)
    return is_small and isinstance(value.size, int) and value.size >= _LEAST_RESULTS


def arg_extreme(value: Value) -> Value:
    """argmax(x) -> the least (or greatest) index where x equals its maximum, NaN counting as such."""
    x, axis = value.args[0], value.attrs["axis"]
    best = x.reduce("rmax" if value.prim == "argmax" else "rmin", (axis,))
    hit = x.eq(best)
    if x.dtype.is_float:
        hit = hit.logical_or(x.unary("isnan"))
    last = value.attrs["last"]
    missing = const(np.asarray(-1 if last else np.iinfo(np.int64).max, np.int64))
    where = map_("where", hit, iota(x.shape, axis, dt.I64), missing)
    return where.reduce("rmax" if last else "rmin", (axis,))


def in_single(value: Value) -> Value:
    """A half-precision contraction computed in single precision and rounded once."""
    args = tuple(a.cast(dt.F32) for a in value.args)
    attrs = {**value.attrs, "dtype": dt.F32} if value.prim == "dot" else value.attrs
    wide = _rewrite(make(value.prim, args, attrs, dt.F32, value.shape), args)
    return wide.cast(value.dtype)


def conv_padded(value: Value) -> Value:
    """A convolution of two spatial axes whose padding is a separate pad."""
    if value.rank == 3:
        flat = two_dimensional(value)
        assert flat is not None
        return conv_padded(flat).reshape(value.shape)
    x, w = value.args
    low, high = value.attrs["low"], value.attrs["high"]
    if all(p == 0 for p in (*low, *high)):
        return value
    none = (0,) * len(low)
    attrs = {**value.attrs, "low": none, "high": none}
    return make("conv", (x.pad((0, 0, *low), (0, 0, *high)), w), attrs, value.dtype, value.shape)


def dot_of_batch(value: Value) -> Value:
    """A matrix product whose many batch axes are one."""
    batch = value.shape[:-2]
    a, b = (arg.broadcast((*batch, *arg.shape[-2:])) for arg in value.args)
    count = dims.product(batch)
    rows, columns = a.reshape((count, *a.shape[-2:])), b.reshape((count, *b.shape[-2:]))
    product = rows.dot(columns, value.dtype)
    return product.reshape(value.shape)


def dot_as_sum(value: Value) -> Value:
    """a[..., m, k] @ b[..., k, n] -> sum over k of a[..., m, k, 1] * b[..., 1, k, n]."""
    wide = value.attrs["dtype"]
    wide = dt.F32 if wide.compute == "f32" else wide
    a, b = (arg.cast(wide) for arg in value.args)
    left = a.reshape((*a.shape, 1))
    right = b.reshape((*b.shape[:-2], 1, *b.shape[-2:]))
    product = left * right
    return product.sum(product.rank - 2).reshape(value.shape).cast(value.dtype)


def _fills_tiles(value: Value) -> bool:
    """Whether a convolution is worth a matrix product over copies of what its windows see."""
    w, group = value.args[1], value.attrs["group"]
    copies = dims.product((value.shape[0], w.shape[1], group, *w.shape[2:], *value.shape[2:]))
    many = isinstance(copies, int) and copies > _MOST_COPIED and dims.product(w.shape[2:]) != 1
    return value.dtype.is_float and not has_few_rows(value) and not many


def has_few_rows(conv: Value) -> bool:
    """Whether a group of a convolution has too few output channels for a matrix product."""
    rows = conv.args[1].shape[0]
    return isinstance(rows, int) and rows < _LEAST_ROWS * conv.attrs["group"]


def conv_as_product(value: Value) -> Value:
    """A convolution as the product of its weights with the columns that its windows see, by group."""
    x, w = value.args
    at, spatial = value.attrs, x.rank - 2
    views = _views(x, w, at)
    places = range(2, 2 + spatial)
    columns = views.transpose(0, 1, *range(2 + spatial, 2 + 2 * spatial), *places)
    depth, group = dims.product(w.shape[1:]), at["group"]
    columns = columns.reshape((x.shape[0], group, depth, dims.product(value.shape[2:])))
    rows = w.reshape((1, group, dims.floordiv(w.shape[0], group), depth))
    return rows.dot(columns).reshape(value.shape)


def _views(x: Value, w: Value, at: dict[str, Any]) -> Value:
    """[n, c, *positions, *offsets]: what the windows of a convolution see."""
    padded = x.pad((0, 0, *at["low"]), (0, 0, *at["high"]))
    kernel = tuple(int(k) for k in w.shape[2:])  # type: ignore[arg-type]
    return padded.window(range(2, x.rank), kernel, at["strides"], at["dilations"])


def conv_as_sum(value: Value) -> Value:
    """A convolution of any type as a windowed sum."""
    x, w = value.args
    wide = dt.F32 if value.dtype.compute == "f32" else value.dtype
    x, w, at = x.cast(wide), w.cast(wide), value.attrs
    spatial, group, kernel = x.rank - 2, at["group"], w.shape[2:]
    views = _views(x, w, at)
    positions = views.shape[2 : 2 + spatial]
    n, per = x.shape[0], w.shape[1]
    views = views.reshape((n, group, 1, per, *positions, *kernel))
    taps = w.reshape((1, group, w.shape[0] // group, per, *(1,) * spatial, *kernel))
    product = views * taps
    inner = (3, *range(4 + spatial, 4 + 2 * spatial))
    return product.sum(*inner).reshape(value.shape).cast(value.dtype)
