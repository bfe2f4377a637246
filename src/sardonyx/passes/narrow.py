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
from sardonyx.ir.graph import rebuild
from sardonyx.ir.value import Value, const, make, map_
from sardonyx.passes.repeated_steps import pays
from sardonyx.passes.short_sums import Parts, serves_any, shortest

Array = np.ndarray[Any, Any]
_SIGN = 128
"""What makes a signed byte an unsigned one."""
_LEAST_OUTPUTS = 8
"""Output channels of a group below which most of a tile is idle."""
_MOST_COLUMNS = 8
"""Columns of a window of single channels that are multiplied at once, of two steps."""
BYTES_ANYWHERE = "avx512vbmi"
"""The feature of cores that bring the bytes of each channel together, of all pixels of a register."""
_GATHERED = 8
"""Rows that are gathered at a time."""
_MOST_READS = 3
"""How often a byte is made a float while it is read, before floats that are stored are quicker."""
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
    if value.dtype is not dt.I32 or not (w.is_numeric_const or _is_kept(w)):
        return None
    points = points_of(x, one=value.prim == "conv")
    if value.prim == "conv" and not (_fits_blocks(value) or (value.rank == 4 and takes_taps(value, goal))):
        return None if points is None else _in_floats(value, points)
    tile = goal.find_tile("i8")
    if tile and points is not None and not (tile.limit and _is_transformed(value)):
        weights = _weights(w, w.rank - 1 if value.prim == "dot" else 0)
        if weights is not None and value.prim == "conv" and (not tile.limit or _pays(value, weights, goal)):
            return None if weights.shift.any() and not _fits_blocks(value) else _conv(value, points, weights)
        if weights is not None and value.prim == "dot" and (parts := shortest(weights.points, goal)):
            return _dot(points, weights, parts)
    if goal.find_tile("i16") and _is_short(x):
        w = released(w)
        fits = value.prim == "dot" or _fits_blocks(value)
        return _paired(value, x, w) if fits and w.data is not None and _largest(w.data) < 1 << 9 else None
    return None


def _is_transformed(value: Value) -> bool:
    """Whether tiles of its outputs may be transformed, which takes operands of 16 bits."""
    plane = value.attrs["strides"][-2:] if value.prim == "conv" else ()
    return plane == (1, 1) and value.args[1].shape[2:][-2:] == (3, 3)


def _pays(value: Value, w: Weights, goal: Goal) -> bool:
    """Whether sums of 16 bits make a convolution faster; steps run along the channels of blocks."""
    block, points = goal.target.channel_block, w.points
    if points.ndim > 4:  # As `volumes` will have it.
        points = points.reshape(len(points), -1, *points.shape[-2:])
    channels = points.shape[1]
    if value.attrs["group"] > 1 or channels < block:
        return False
    missing = -channels % block
    whole = np.pad(points, ((0, 0), (0, missing), *((0, 0),) * (points.ndim - 2)))
    steps = np.moveaxis(whole, (0, 1), (-1, -2)).reshape(1, -1, whole.shape[0])
    return serves_any(steps, goal) or pays(steps, goal)


def kept_weights(value: Value) -> bool:
    """Whether it is an i32 contraction whose weights are constant bytes that are kept as such."""
    return value.prim in ("dot", "conv") and value.dtype is dt.I32 and _is_kept(value.args[1])


def _is_kept(w: Value) -> bool:
    """Whether constants become a value by what `released` folds."""
    if w.prim == "sub":
        return w.args[1].is_numeric_const and _is_kept(w.args[0])
    return w.prim == "kept" or ((w.prim == "cast" or w.prim in _VIEWS) and _is_kept(w.args[0]))


def released(value: Value) -> Value:
    """The value computed from constants that are kept no longer, if there are such."""
    if value.prim == "kept":
        return value.args[0]
    if value.prim in ("cast", "sub") or value.prim in _VIEWS:
        return rebuild(value, (released(value.args[0]), *value.args[1:]))
    return value


def _fits_blocks(value: Value) -> bool:
    """Whether a convolution's channels, by group, are whole steps of blocks."""
    w, group = value.args[1], value.attrs["group"]
    outputs, per = int(w.shape[0]) // group, int(w.shape[1])  # type: ignore[arg-type]
    return group == 1 or (per % 4 == 0 and outputs >= min(_LEAST_OUTPUTS, per))


def takes_taps(value: Value, goal: Goal) -> bool:
    """Whether a convolution of single channels is of windows whose pixels an instruction takes as a step."""
    w, at, tile = value.args[1], value.attrs, goal.find_tile("i8")
    if tile is None or not goal.target.has(BYTES_ANYWHERE) or at["group"] == 1:
        return False
    single = w.shape[1] == 1 and w.shape[0] == at["group"]
    columns = int(w.shape[3])  # type: ignore[arg-type]
    beside = at["strides"][1] <= 2 and at["dilations"][1] == 1 and columns <= _MOST_COLUMNS
    return single and beside and tile.instruction.operands == f"<{4 * goal.target.channel_block} x i8>"


def points_of(x: Value, *, one: bool) -> Points | None:
    """The bytes that an i32 value is made of, with one zero point, or unless `one` is asked one a row."""
    found = _bytes_of(x)
    if found is None:
        return None
    points, zero = found.points, found.zero
    if zero.rank and (one or zero.rank != points.rank or zero.shape[-1] != 1 or x.shape != points.shape):
        return None
    if points.dtype is dt.I8:
        unsigned = make("bitcast", (points,), {"to": dt.U8}, dt.U8, points.shape)
        return Points(map_("bitxor", unsigned, _SIGN), zero + _SIGN)
    return found


def _bytes_of(x: Value) -> Points | None:
    """The bytes, signed or not, that an i32 value is made of; seen through views there is one zero point."""
    if x.prim in _VIEWS:
        inner = _bytes_of(x.args[0])
        if inner is None or inner.zero.rank:
            return None
        return Points(make(x.prim, (inner.points,), x.attrs, inner.points.dtype, x.shape), inner.zero)
    zero = const(np.zeros((), np.int32))
    if x.prim == "sub" and x.dtype is dt.I32:
        x, zero = x.args
        zero = zero.reshape(()) if zero.size == 1 else zero
    if x.prim != "cast" or x.args[0].dtype not in (dt.U8, dt.I8):
        return None
    return Points(x.args[0], zero)


def _weights(w: Value, channels: int) -> Weights | None:
    """Weights whose channels run along that axis as bytes; None if a channel spans more than 8 bits."""
    numbers, zero = _numbers(w, channels)
    others = tuple(a for a in range(w.rank) if a != channels)
    if numbers.dtype == np.int8 and not zero.any():
        shape = [n if a == channels else 1 for a, n in enumerate(numbers.shape)]
        return Weights(numbers, np.zeros(shape, np.int32))
    bounds = np.iinfo(numbers.dtype)
    least = numbers.min(others, keepdims=True, initial=bounds.max).astype(np.int64)
    most = numbers.max(others, keepdims=True, initial=bounds.min).astype(np.int64)
    low, high = np.minimum(least - zero, 0), np.maximum(most - zero, 0)
    if np.any(high - low > 255):
        return None
    shift = (np.maximum(high - 127, 0) + np.minimum(low + 128, 0)).astype(np.int32)
    # What is left fits a byte, so differences modulo 256 are exact.
    points, moved = numbers.astype(np.int8), (zero + shift).astype(np.int8)
    return Weights(points - moved if moved.any() else points, shift)


def _numbers(w: Value, channels: int) -> tuple[Array, Array]:
    """Integers and one zero point, or one a channel: the content of w are their differences."""
    found = None if w.is_const else _bytes_of(w)
    if found is not None and found.zero.data is not None:
        points, zero = released(found.points).data, found.zero.data
        axis = channels - w.rank + zero.ndim
        if points is not None and zero.size == (zero.shape[axis] if axis >= 0 else 1):
            return points, zero
    data = released(w).data
    assert data is not None
    return data, np.zeros((), np.int32)


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


def _paired(value: Value, x: Value, w: Value) -> Value:
    """Centred operands in 16 bits, those of x at most 255: pairs of their products fit 32."""
    x, w = x.cast(dt.I16), w.cast(dt.I16)
    if value.prim == "conv":
        return make("conv", (x, w), value.attrs, dt.I32, value.shape)
    return _product(x, w, 2)


def _product(x: Value, w: Value, step: int) -> Value:
    """x @ w in i32, its inner size padded to whole steps."""
    missing = -int(w.shape[-2]) % step  # type: ignore[arg-type]
    x = x.pad((0,) * x.rank, (*(0,) * (x.rank - 1), missing))
    w = w.pad((0,) * w.rank, (*(0,) * (w.rank - 2), missing, 0))
    return x.dot(w, dt.I32)


def _dot(x: Points, w: Weights, of_w: Parts) -> Value:
    total = _product(x.points, const(of_w.kept), 4)
    if of_w.rows.size:
        total = total + _again(x.points, of_w)
    if w.shift.any():
        of_rows = x.points.cast(dt.I32).sum(x.points.rank - 1) - x.zero * w.points.shape[-2]
        total = total + of_rows * const(w.shift)
    if not _counts(x.zero):
        return total
    return total - x.zero * const(w.points.sum(-2, keepdims=True, dtype=np.int32))


def _again(x: Value, of_w: Parts) -> Value:
    """What is left of some rows, of whole vectors of them, so that most products share a kernel."""
    rows = np.pad(of_w.rows.astype(np.int32), (0, -of_w.rows.size % _GATHERED))
    missing = [(0, 0)] * (of_w.rest.ndim - 2) + [(0, rows.size - of_w.rows.size), (0, 0)]
    return _product(x.gather(const(rows), x.rank - 1).cast(dt.I16), const(np.pad(of_w.rest, missing)), 2)


def _conv(value: Value, x: Points, w: Weights) -> Value:
    at, group = value.attrs, value.attrs["group"]
    padded, attrs = _padded(value, x)
    total = make("conv", (padded, const(w.points)), attrs, dt.I32, value.shape)
    along = (1, -1, *(1,) * (value.rank - 2))
    if w.shift.any():
        if group > 1:
            return _paired(value, value.args[0], released(value.args[1]))
        seen = _seen(padded, w.points.shape[2:], at) - x.zero * int(np.prod(w.points.shape[1:]))
        total = total + seen * const(w.shift.reshape(along if w.shift.size > 1 else ()))
    if not _counts(x.zero):
        return total
    others = tuple(range(1, w.points.ndim))
    return total - x.zero * const(w.points.sum(others, dtype=np.int32).reshape(along))


def _in_floats(value: Value, x: Points) -> Value | None:
    """A convolution of single channels whose sums are exact in floats, made of bytes as they are read."""
    at, w = value.attrs, released(value.args[1]).data
    if w is None or value.rank != 4 or w.shape[:2] != (at["group"], 1):
        return None
    taps = int(np.prod(w.shape[2:]))
    if taps > _MOST_READS * int(np.prod(at["strides"])) or 255 * _largest(w) * taps >= 1 << 24:
        return None
    padded, attrs = _padded(value, x)
    floats = padded.cast(dt.F32), const(w.astype(np.float32))
    total = make("conv", floats, attrs, dt.F32, value.shape).cast(dt.I32)
    if not _counts(x.zero):
        return total
    return total - x.zero * const(w.sum((1, 2, 3), dtype=np.int32).reshape(1, -1, 1, 1))


def _padded(value: Value, x: Points) -> tuple[Value, dict[str, Any]]:
    """The points with the borders of a convolution, and its attributes without them."""
    at = value.attrs
    low, high = (0, 0, *at["low"]), (0, 0, *at["high"])
    none = (0,) * len(at["low"])
    return x.points.pad(low, high, x.zero.cast(dt.U8)), {**at, "low": none, "high": none}


def _seen(x: Value, kernel: tuple[int, ...], at: dict[str, Any]) -> Value:
    """[n, 1, *positions]: the sum of all that a window sees."""
    flat = x.cast(dt.I32).sum(1)
    axes = range(2, x.rank)
    views = flat.window(axes, kernel, at["strides"], at["dilations"])
    total = views.sum(*range(x.rank, views.rank))
    return total.reshape(total.shape[: x.rank])


def _counts(zero: Value) -> bool:
    return not (zero.is_numeric_const and zero.data is not None and not np.any(zero.data))
