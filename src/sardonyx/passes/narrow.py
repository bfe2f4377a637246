"""Contractions of small integers with constant weights on the instructions that multiply such.

Sums of products of the points themselves are exact modulo 2**32, whatever their sizes; what zero points add
to them is a map that follows. Must not know kernels: the tile table says which operands are there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value, const, make, map_

Array = np.ndarray[Any, Any]
_SIGN = 128
"""What makes a signed byte an unsigned one."""
_LEAST_OUTPUTS = 8
"""Output channels of a group below which most of a tile is idle."""
_VIEWS = frozenset({"reshape", "transpose", "slice", "broadcast"})
_TYPES = ((dt.U8, dt.I8), (dt.I16, dt.I16))


def is_narrow(value: Value) -> bool:
    """Whether a contraction multiplies what a tile of small integers takes."""
    return value.dtype is dt.I32 and tuple(a.dtype for a in value.args[:2]) in _TYPES


@dataclass(frozen=True, slots=True)
class Points:
    """Unsigned bytes whose numbers are points - zero; zero is i32 and one, or one a row."""

    points: Value
    zero: Value


@dataclass(frozen=True, slots=True)
class Weights:
    """Signed bytes whose numbers are points + shift; the shift is one, or one a column, and mostly 0."""

    points: Array
    shift: Array


def narrow(value: Value, goal: Goal) -> Value | None:
    """An i32 contraction with constant weights over narrow operands; None if no tile or sizes serve it."""
    x, w = value.args
    if value.dtype is not dt.I32 or not w.is_numeric_const or w.data is None:
        return None
    if value.prim == "conv" and not _fits_blocks(value):
        return None
    numbers = w.data
    channels = w.rank - 1 if value.prim == "dot" else 0
    points = points_of(x, one=value.prim == "conv")
    if goal.find_tile("i8") and points is not None:
        weights = _weights(numbers, channels)
        if weights is not None:
            return _dot(value, points, weights) if value.prim == "dot" else _conv(value, points, weights)
    if goal.find_tile("i16") and _is_short(x) and _largest(numbers) < 1 << 9:
        return _paired(value)
    return None


def _fits_blocks(value: Value) -> bool:
    """Whether a convolution's channels, by group, are whole steps of blocks."""
    w, group = value.args[1], value.attrs["group"]
    outputs, per = int(w.shape[0]) // group, int(w.shape[1])  # type: ignore[arg-type]
    fits = group == 1 or (per % 4 == 0 and outputs >= min(_LEAST_OUTPUTS, per))
    return value.rank in (3, 4) and fits


def points_of(x: Value, *, one: bool) -> Points | None:
    """The bytes that an i32 value is made of, with one zero point, or unless `one` is asked one a row."""
    if x.prim in _VIEWS:
        inner = points_of(x.args[0], one=True)
        return inner and Points(make(x.prim, (inner.points,), x.attrs, dt.U8, x.shape), inner.zero)
    zero = const(np.zeros((), np.int32))
    if x.prim == "sub" and x.dtype is dt.I32:
        x, zero = x.args
        zero = zero.reshape(()) if zero.size == 1 else zero
    if x.prim != "cast" or x.args[0].dtype not in (dt.U8, dt.I8):
        return None
    points = x.args[0]
    if zero.rank and (one or zero.rank != points.rank or zero.shape[-1] != 1 or x.shape != points.shape):
        return None
    if points.dtype is dt.I8:
        unsigned = make("bitcast", (points,), {"to": dt.U8}, dt.U8, points.shape)
        return Points(map_("bitxor", unsigned, _SIGN), zero + _SIGN)
    return Points(points, zero)


def _weights(w: Array, channels: int) -> Weights | None:
    """Weights whose channels run along that axis as bytes; None if a channel spans more than 8 bits."""
    others = tuple(a for a in range(w.ndim) if a != channels)
    least, most = w.min(others, keepdims=True, initial=0), w.max(others, keepdims=True, initial=0)
    low, high = least.astype(np.int64), most.astype(np.int64)
    if np.any(high - low > 255):
        return None
    shift = (np.maximum(high - 127, 0) + np.minimum(low + 128, 0)).astype(np.int32)
    return Weights((w - shift if shift.any() else w).astype(np.int8), shift)


def _largest(numbers: Array) -> int:
    """The largest magnitude, 0 if there is none."""
    return max(-int(numbers.min(initial=0)), int(numbers.max(initial=0)))


def _is_short(x: Value) -> bool:
    """Whether an i32 value is a byte, or the difference of two."""
    if x.prim in _VIEWS:
        return _is_short(x.args[0])
    return all(map(_is_byte, x.args)) if x.prim == "sub" else _is_byte(x)


def _is_byte(x: Value) -> bool:
    if x.is_numeric_const and x.data is not None:
        return _largest(x.data) < 1 << 8
    if x.prim in _VIEWS:
        return _is_byte(x.args[0])
    return x.prim == "cast" and x.args[0].dtype in (dt.U8, dt.I8)


def _paired(value: Value) -> Value:
    """Centred operands in 16 bits: pairs of their products fit 32."""
    x, w = (a.cast(dt.I16) for a in value.args)
    if value.prim == "conv":
        return make("conv", (x, w), value.attrs, dt.I32, value.shape)
    return _product(x, w, 2)


def _product(x: Value, w: Value, step: int) -> Value:
    """x @ w in i32, its inner size padded to whole steps."""
    missing = -int(w.shape[-2]) % step  # type: ignore[arg-type]
    x = x.pad((0,) * x.rank, (*(0,) * (x.rank - 1), missing))
    w = w.pad((0,) * w.rank, (*(0,) * (w.rank - 2), missing, 0))
    return x.dot(w, dt.I32)


def _dot(value: Value, x: Points, w: Weights) -> Value:
    total = _product(x.points, const(w.points), 4)
    sums = const(w.points.sum(-2, keepdims=True, dtype=np.int32))
    if w.shift.any():
        of_rows = x.points.cast(dt.I32).sum(x.points.rank - 1) - x.zero * w.points.shape[-2]
        total = total + of_rows * const(w.shift)
    return total - x.zero * sums if _counts(x.zero) else total


def _conv(value: Value, x: Points, w: Weights) -> Value:
    at, group = value.attrs, value.attrs["group"]
    low, high = (0, 0, *at["low"]), (0, 0, *at["high"])
    padded = x.points.pad(low, high, x.zero.cast(dt.U8))
    none = (0,) * len(at["low"])
    attrs = {**at, "low": none, "high": none}
    total = make("conv", (padded, const(w.points)), attrs, dt.I32, value.shape)
    others = tuple(range(1, w.points.ndim))
    along = (1, -1, *(1,) * (value.rank - 2))
    sums = const(w.points.sum(others, dtype=np.int32).reshape(along))
    if w.shift.any():
        if group > 1:
            return _paired(value)
        seen = _seen(padded, w.points.shape[2:], at) - x.zero * int(np.prod(w.points.shape[1:]))
        total = total + seen * const(w.shift.reshape(along if w.shift.size > 1 else ()))
    return total - x.zero * sums if _counts(x.zero) else total


def _seen(x: Value, kernel: tuple[int, ...], at: dict[str, Any]) -> Value:
    """[n, 1, *positions]: the sum of all that a window sees."""
    flat = x.cast(dt.I32).sum(1)
    axes = range(2, x.rank)
    views = flat.window(axes, kernel, at["strides"], at["dilations"])
    total = views.sum(*range(x.rank, views.rank))
    return total.reshape(total.shape[: x.rank])


def _counts(zero: Value) -> bool:
    return not (zero.is_numeric_const and zero.data is not None and not np.any(zero.data))
