"""What each primitive means, over numpy arrays; the reference for every later stage.

Arrays may also be object arrays of symbolic integers where the primitive says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt

Array = np.ndarray[Any, Any]


class NotFoldable(Exception):  # noqa: N818
    """A symbolic value cannot be decided at build time; the graph keeps the operation."""


def unbound(*_: Array, **__: Any) -> Array:
    """Sources have no meaning of their own."""
    raise AssertionError("a source is bound by the caller")


def _elementwise(fn: Callable[..., Any], *args: Array) -> Array:
    result = np.frompyfunc(fn, len(args), 1)(*args)
    return np.asarray(result, dtype=object)


def _symbolic(*args: Array) -> bool:
    return any(a.dtype == object for a in args)


def divide(a: Array, b: Array) -> Array:
    """True division of floats; integers round toward zero and raise on zero."""
    if _symbolic(a, b):
        return _elementwise(_divide_one, a, b)
    if a.dtype.kind in "iu":
        if not np.all(b):
            raise ZeroDivisionError("integer division by zero")
        quotient = np.floor_divide(a, b)
        return np.asarray(quotient + ((quotient < 0) & (quotient * b != a)), dtype=a.dtype)
    return np.true_divide(a, b).astype(a.dtype)


def _divide_one(a: Any, b: Any) -> Any:
    if isinstance(a, float) or isinstance(b, float):
        if isinstance(a, dims.Expr) or isinstance(b, dims.Expr):
            raise NotFoldable
        return a / b
    return dims.truncdiv(a, b)


def power(a: Array, b: Array) -> Array:
    """a ** b in the type of a; integer powers wrap, negative integer exponents truncate."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        with np.errstate(all="ignore"):
            safe = np.where(b < 0, 0, b)
            positive = np.power(a, safe.astype(a.dtype))
            return np.where(
                b < 0, np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (b & 1), 0)), positive
            ).astype(a.dtype)
    return np.power(a, b).astype(a.dtype)


def maximum(a: Array, b: Array) -> Array:
    """The larger one; NaN wins."""
    return _elementwise(dims.maximum, a, b) if _symbolic(a, b) else np.maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    """The smaller one; NaN wins."""
    return _elementwise(dims.minimum, a, b) if _symbolic(a, b) else np.minimum(a, b)


def integral(fn: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A rounding function, which leaves integers (symbolic ones too) as they are."""

    def rounded(x: Array) -> Array:
        if x.dtype == object:
            if any(isinstance(v, float) for v in x.flat):
                raise NotFoldable
            return x
        return x if x.dtype.kind in "iub" else fn(x)

    return rounded


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    with np.errstate(all="ignore"):
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def _decided(known: bool | None) -> bool:
    if known is None:
        raise NotFoldable
    return known


def _plain(a: Array) -> Array:
    if not _symbolic(a):
        return a
    if any(isinstance(v, dims.Expr) for v in a.flat):
        raise NotFoldable
    return a.astype(np.int64)


def equal(a: Array, b: Array) -> Array:
    """a == b; symbolic integers only where it can be proven."""
    if _symbolic(a, b) and not _text(a, b):
        return _elementwise(lambda p, q: _decided(dims.equal(p, q)), a, b).astype(np.bool_)
    return np.asarray(np.equal(a, b), dtype=np.bool_)


def _text(*args: Array) -> bool:
    return any(isinstance(v, str) for a in args for v in a.flat[:1])


def less(a: Array, b: Array) -> Array:
    """a < b; symbolic integers only where it can be proven."""
    if _symbolic(a, b):

        def one(p: Any, q: Any) -> bool:
            known = dims.at_least(p, q)
            return not _decided(known)

        return _elementwise(one, a, b).astype(np.bool_)
    return np.less(a, b)


def where(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b."""
    return np.where(_plain(condition).astype(np.bool_), a, b)


def shift_left(a: Array, b: Array) -> Array:
    """a << b; 0 for shifts of the whole width or more."""
    bits = a.dtype.itemsize * 8
    return np.where(b >= bits, 0, np.left_shift(a, np.minimum(b, bits - 1))).astype(a.dtype)


def shift_right(a: Array, b: Array) -> Array:
    """a >> b; only copies of the sign (0 if there is none) for shifts of the whole width or more."""
    bits = a.dtype.itemsize * 8
    if a.dtype.kind == "i":
        return np.asarray(np.right_shift(a, np.minimum(b, bits - 1)), dtype=a.dtype)
    return np.where(b >= bits, 0, np.right_shift(a, np.minimum(b, bits - 1))).astype(a.dtype)


def cast(x: Array, *, to: dt.DType, rounds: bool = False) -> Array:
    """Convert the element type: floats to integers truncate, anything to bool is x != 0.

    `rounds` says that nothing may be computed from more digits than the type has.
    """
    if x.dtype == object and not _text(x):
        if to.is_int and all(isinstance(v, int | dims.Expr) for v in x.flat):
            return x
        if to.is_float and all(isinstance(v, int | float | dims.Expr) for v in x.flat):
            return x
        raise NotFoldable
    with np.errstate(all="ignore"):
        if to is dt.BOOL:
            return np.asarray(x != 0, dtype=np.bool_)
        if x.dtype.kind == "V" or x.dtype not in _PLAIN:
            x = x.astype(np.float32) if to.numpy != np.float64 else x.astype(np.float64)
        if to.is_int and x.dtype.kind == "f":
            return _float_to_int(x, to)
        return x.astype(to.numpy)


_PLAIN = frozenset(
    np.dtype(t) for t in (["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
)


def _float_to_int(x: Array, to: dt.DType) -> Array:
    wide = np.trunc(x)
    if to.bits == 64:
        return wide.astype(to.numpy)
    return wide.astype(np.int64 if to is dt.U32 else np.int32).astype(to.numpy)


def bitcast(x: Array, *, to: dt.DType) -> Array:
    """Reinterpret the bits."""
    return np.ascontiguousarray(x).view(to.numpy).reshape(x.shape)


def kept(x: Array) -> Array:
    """The same; what is computed from a constant that is kept is not computed at build time."""
    return x


def iota(*, shape: Sequence[int], axis: int, dtype: dt.DType) -> Array:
    """The index along `axis`."""
    steps = np.arange(shape[axis], dtype=np.int64).astype(dtype.numpy)
    view = steps.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return np.broadcast_to(view, tuple(shape))


def _accumulator(x: Array) -> Array:
    if x.dtype.kind == "f" and x.dtype.itemsize < 8:
        return x.astype(np.float64)
    return x


def reduce_sum(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Sum over axes, which stay as 1; bool inputs are counted by the caller's cast."""
    return np.sum(
        _accumulator(x), axis=axes, keepdims=True, dtype=None if x.dtype == object else _accumulator(x).dtype
    ).astype(x.dtype)


def reduce_prod(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Product over axes, which stay as 1."""
    return np.asarray(np.prod(x, axis=axes, keepdims=True, dtype=x.dtype))


def _lowest(x: Array, sign: int) -> Any:
    if x.dtype.kind == "f":
        return -np.inf * sign
    if x.dtype.kind == "b":
        return sign < 0
    info = np.iinfo(x.dtype)
    return info.min if sign > 0 else info.max


def reduce_max(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Maximum over axes, which stay as 1; the type's lowest value for an empty range."""
    return np.asarray(np.max(x, axis=axes, keepdims=True, initial=_lowest(x, 1)))


def reduce_min(x: Array, *, axes: tuple[int, ...]) -> Array:
    """Minimum over axes, which stay as 1; the type's highest value for an empty range."""
    return np.asarray(np.min(x, axis=axes, keepdims=True, initial=_lowest(x, -1)))


def _arg(x: Array, axis: int, last: bool, fn: Callable[..., Array]) -> Array:
    if not last:
        return np.asarray(fn(x, axis=axis, keepdims=True), dtype=np.int64)
    flipped = fn(np.flip(x, axis), axis=axis, keepdims=True)
    return np.asarray(x.shape[axis] - 1 - flipped, dtype=np.int64)


def argmax(x: Array, *, axis: int, last: bool) -> Array:
    """Index of the maximum along `axis` (first or last occurrence), the axis stays as 1."""
    return _arg(x, axis, last, np.argmax)


def argmin(x: Array, *, axis: int, last: bool) -> Array:
    """Index of the minimum along `axis` (first or last occurrence), the axis stays as 1."""
    return _arg(x, axis, last, np.argmin)


def _scan(x: Array, axis: int, exclusive: bool, reverse: bool, ufunc: np.ufunc, identity: int) -> Array:
    y = np.flip(x, axis) if reverse else x
    total = ufunc.accumulate(y, axis=axis, dtype=y.dtype)
    if exclusive:
        index = [slice(None)] * x.ndim
        index[axis] = slice(0, -1)
        first = [slice(None)] * x.ndim
        first[axis] = slice(0, 1)
        total = np.concatenate([np.full_like(y[tuple(first)], identity), total[tuple(index)]], axis)
    return np.flip(total, axis) if reverse else total


def cumsum(x: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
    """Running sum along an axis."""
    return _scan(x, axis, exclusive, reverse, np.add, 0)


def cumprod(x: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
    """Running product along an axis."""
    return _scan(x, axis, exclusive, reverse, np.multiply, 1)


def reshape(x: Array, *, shape: Sequence[int]) -> Array:
    """The same elements in row-major order under another shape."""
    return x.reshape(tuple(shape))


def transpose(x: Array, *, perm: Sequence[int]) -> Array:
    """Permute axes."""
    return x.transpose(tuple(perm))


def broadcast(x: Array, *, shape: Sequence[int]) -> Array:
    """Repeat axes of size 1."""
    return np.broadcast_to(x, tuple(shape))


def slice_(x: Array, *, start: Sequence[int], step: Sequence[int], size: Sequence[int]) -> Array:
    """x[start[a] + i * step[a]] for i below size[a], on every axis a.

    ValueError for a negative size, or for a beginning before the tensor.
    """
    if any(count < 0 or (count and first < 0) for first, count in zip(start, size, strict=True)):
        raise ValueError(f"a slice of sizes {list(size)} from {list(start)} on")
    for axis, (first, by, count) in enumerate(zip(start, step, size, strict=True)):
        if first or by != 1 or count != x.shape[axis]:
            x = np.take(x, first + by * np.arange(count), axis=axis)
    return x


def window(
    x: Array, *, axes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Array:
    """Sliding windows: axis a becomes its positions, and its offsets are appended as a new last axis.

    y[..., p, ..., k] = x[..., p * stride + k * dilation, ...]
    """
    for axis, size, stride, dilation in zip(axes, kernel, strides, dilations, strict=True):
        count = max(0, (x.shape[axis] - (size - 1) * dilation - 1) // stride + 1)
        index = np.arange(count)[:, None] * stride + np.arange(size)[None] * dilation
        x = np.moveaxis(np.take(x, index, axis=axis), axis + 1, -1)
    return x


def pad(x: Array, fill: Array, *, low: Sequence[int], high: Sequence[int]) -> Array:
    """Surround with a constant; negative amounts crop."""
    shape = [n + a + b for n, a, b in zip(x.shape, low, high, strict=True)]
    y = np.full(shape, fill.reshape(()), dtype=x.dtype)
    inner = tuple(slice(max(a, 0), s - max(b, 0)) for s, a, b in zip(shape, low, high, strict=True))
    outer = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, a, b in zip(x.shape, low, high, strict=True))
    y[inner] = x[outer]
    return y


def concat(*parts: Array, axis: int) -> Array:
    """Join along an axis."""
    return np.concatenate(parts, axis=axis)


def _checked(index: Array, size: int, what: str) -> Array:
    index = _plain(index)
    wrapped = np.where(index < 0, index + size, index)
    bad = (wrapped < 0) | (wrapped >= size)
    if np.any(bad):
        value = int(np.asarray(index)[bad].flat[0])
        raise IndexError(f"{what} index {value} is out of range [{-size}, {size - 1}]")
    return np.asarray(wrapped, dtype=np.int64)


def gather(x: Array, index: Array, *, axis: int) -> Array:
    """y[a, i..., b] = x[a, index[i...], b]; negative indices count from the end."""
    places = index if index.dtype.kind == "i" else _plain(index).astype(np.int64, copy=False)
    try:
        return np.asarray(x.take(places, axis), dtype=x.dtype)
    except IndexError:
        _checked(index, x.shape[axis], "gather")
        raise


def gather_elements(x: Array, index: Array, *, axis: int) -> Array:
    """y[i] = x[i with index[i] at `axis`]."""
    cut = tuple(slice(0, n) if a != axis else slice(None) for a, n in enumerate(index.shape))
    return np.take_along_axis(x[cut], _checked(index, x.shape[axis], "gather_elements"), axis=axis)


def _tuples(index: Array, shape: Sequence[int], batch: int, what: str) -> tuple[Array, ...]:
    depth = index.shape[-1]
    heads = [
        np.arange(n).reshape([-1 if a == b else 1 for b in range(index.ndim - 1)])
        for a, n in enumerate(shape[:batch])
    ]
    picks = [_checked(index[..., d], shape[batch + d], what) for d in range(depth)]
    return (*heads, *picks)


def gather_nd(x: Array, index: Array, *, batch_dims: int) -> Array:
    """y[b, i...] = x[b, index[b, i..., :]]."""
    return np.asarray(x[_tuples(index, x.shape, batch_dims, "gather_nd")], dtype=x.dtype)


def _scatter(y: Array, at: tuple[Any, ...], updates: Array, reduction: str) -> Array:
    match reduction:
        case "none":
            y[(*at, ...)] = updates
        case "add":
            np.add.at(y, at, updates)
        case "mul":
            np.multiply.at(y, at, updates)
        case "max":
            np.maximum.at(y, at, updates)
        case "min":
            np.minimum.at(y, at, updates)
        case _:
            raise AssertionError(reduction)
    return y


def scatter_elements(x: Array, index: Array, updates: Array, *, axis: int, reduction: str) -> Array:
    """A copy of x with y[i with index[i] at `axis`] reduced with updates[i]."""
    at: list[Array] = list(np.indices(index.shape, sparse=True))
    at[axis] = _checked(index, x.shape[axis], "scatter_elements")
    return _scatter(x.copy(), tuple(at), updates, reduction)


def scatter_nd(x: Array, index: Array, updates: Array, *, reduction: str) -> Array:
    """A copy of x with y[index[i..., :]] reduced with updates[i...]."""
    return _scatter(x.copy(), _tuples(index, x.shape, 0, "scatter_nd"), updates, reduction)
