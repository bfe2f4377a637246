"""Operators that make tensors from sizes and numbers: constants, ranges, shapes, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, dim_value, dims_vector, iota, scalar, zero
from sardonyx.ops.demands import ANY, element_type, ranked, shaped, single
from sardonyx.ops.operands import size, sizes
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]


@op("Constant", since=1)
def constant(
    *,
    value: Array | None = None,
    sparse_value: Array | None = None,
    value_int: int | None = None,
    value_ints: tuple[int, ...] | None = None,
    value_float: float | None = None,
    value_floats: tuple[float, ...] | None = None,
    value_string: str | None = None,
    value_strings: tuple[str, ...] | None = None,
) -> Value:
    """The tensor that the one given attribute holds."""
    numbers: tuple[tuple[Any, Any], ...] = (
        *((value, None), (sparse_value, None), (value_int, np.int64), (value_ints, np.int64)),
        *(
            (value_float, np.float32),
            (value_floats, np.float32),
            (value_string, object),
            (value_strings, object),
        ),
    )
    given = [(data, dtype) for data, dtype in numbers if data is not None]
    if len(given) != 1:
        raise ValueError(f"it must have exactly one value, it has {len(given)}")
    return const(np.asarray(given[0][0], given[0][1]))


@op("ConstantOfShape", since=9)
def constant_of_shape(shape: Value, *, value: Array | None = None) -> Value:
    """One number, repeated to a shape."""
    fill = const(np.zeros(1, np.float32) if value is None else value)
    return single(fill, "the value").broadcast(sizes(shape, "the input of sizes"))


@op("Shape", since=1)
def shape_of(x: Value, *, start: int = 0, end: int | None = None) -> Value:
    """The sizes of x, or a slice of them."""
    return dims_vector(x.shape[slice(start, end)])


@op("Size", since=1)
def size_of(x: Value) -> Value:
    """The number of elements."""
    return dim_value(x.size, dt.I64)


@op("Range", since=11)
def range_(start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    """start + i * delta below limit: max(0, ceil((limit - start) / delta)) numbers."""
    start, limit, delta = (
        single(v, what) for v, what in ((start, "the start"), (limit, "the limit"), (delta, "the delta"))
    )
    if start.dtype.is_int:
        first, last, step = (size(v, "the range", None) for v in (start, limit, delta))
        if step == 0:
            raise ValueError("delta must not be 0")
        up = isinstance(step, int) and step > 0
        whole = dims.ceildiv(last - first, step) if up else -dims.floordiv(first - last, step)
        count = dims.maximum(whole, 0)
    else:
        wide = (limit.cast(dt.F64) - start.cast(dt.F64)) / delta.cast(dt.F64)
        count = size(wide.unary("ceil").max(0).cast(dt.I64), "the range")
    kept = (
        element_type(stash_type, "stash_type")
        if start.dtype.is_float and start.dtype.bits < 32
        else start.dtype
    )
    return (iota((count,), 0, kept) * delta.cast(kept) + start.cast(kept)).cast(start.dtype)


def _diagonal(x: Value, k: Value) -> tuple[Value, Value]:
    """Of matrices like x, where the k-th diagonal meets each row, and the number of each column."""
    rows, columns = x.shape[-2:]
    near = k.max(dim_value(0 - rows, dt.I64)).min(dim_value(columns, dt.I64))
    furthest = rows + columns
    dtype = dt.I32 if isinstance(furthest, int) and furthest < 1 << 31 else dt.I64
    across, along = (iota((rows, columns), axis, dtype) for axis in (0, 1))
    return across + near.cast(dtype), along


@op("EyeLike", since=9)
def eye_like(x: Value, *, dtype: int | None = None, k: int = 0) -> Value:
    """1 on the k-th diagonal of a matrix like x, else 0."""
    ranked(x, "the input", 2)
    diagonal, columns = _diagonal(x, scalar(k, dt.I64))
    return diagonal.eq(columns).cast(x.dtype if dtype is None else element_type(dtype, "dtype"))


@op("Trilu", since=14)
def trilu(x: Value, k: Value | None = None, *, upper: int = 1) -> Value:
    """The upper or lower triangle of matrices from the k-th diagonal on, 0 elsewhere."""
    ranked(x, "the input", 2, ANY)
    diagonal, columns = _diagonal(x, scalar(0, dt.I64) if k is None else single(k, "k"))
    keep = diagonal.le(columns) if upper else columns.le(diagonal)
    return keep.where(x, zero(x.dtype))


@op("OneHot", since=9)
def one_hot(indices: Value, depth: Value, values: Value, *, axis: int = -1) -> Value:
    """values[1] where the new axis meets the index, else values[0]; negative indices count from the end."""
    ranked(indices, "the indices", 1, ANY)
    count = size(depth, "the depth")
    rank = indices.rank + 1
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    values = shaped(values, "the pair of values, off and on,", 2)
    axis %= rank
    index = indices.cast(dt.I64)
    wrapped = index.lt(0).where(index + dim_value(count, dt.I64), index)
    column = wrapped.reshape((*index.shape[:axis], 1, *index.shape[axis:]))
    ruler = iota((count,) + (1,) * (rank - 1 - axis), 0, dt.I64)
    off, on = (values.slice((i,), (1,)).reshape(()) for i in (0, 1))
    return column.eq(ruler).where(on, off)
