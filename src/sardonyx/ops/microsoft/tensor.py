"""Operators of com.microsoft over tensors, most of which ai.onnx has under the same or another name."""

from __future__ import annotations

from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, dim_value, make
from sardonyx.ops.onnx.generate import range_, trilu
from sardonyx.ops.onnx.index import gather_nd
from sardonyx.ops.onnx.linear import square
from sardonyx.ops.onnx.sampling import grid_sample
from sardonyx.ops.onnx.sort import unique
from sardonyx.ops.padding import pad
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"

op("Trilu", domain=MICROSOFT)(trilu)
op("GatherND", domain=MICROSOFT)(gather_nd)
op("GridSample", domain=MICROSOFT)(grid_sample)


@op("ExpandDims", domain=MICROSOFT)
def expand_dims(x: Value, axis: Value) -> Value:
    """x with one more axis of size 1."""
    if not axis.is_numeric_const or axis.data is None:
        raise UnsupportedOp("ExpandDims with an axis that is not known")
    at = int(axis.data.reshape(())) % (x.rank + 1)
    return x.reshape((*x.shape[:at], 1, *x.shape[at:]))


@op("Range", domain=MICROSOFT)
def microsoft_range(start: Value, limit: Value, delta: Value | None = None) -> Value:
    """Numbers from start to limit in steps of delta, 1 if absent."""
    return range_(start, limit, dim_value(1, start.dtype) if delta is None else delta)


@op("Pad", domain=MICROSOFT)
def microsoft_pad(data: Value, pads: Value, value: Value | None = None, *, mode: str = "constant") -> Value:
    """Surround data; `pads`, a vector or one row, are all begins, then all ends; negative amounts crop."""
    return pad(data, pads.reshape((pads.size,)), value, mode=mode)


@op("Unique", domain=MICROSOFT)
def microsoft_unique(x: Value) -> tuple[Value, Value, Value]:
    """Distinct elements in the order of their first places, the number of each one, and their counts."""
    if x.rank != 1:
        raise ShapeError(f"a tensor of shape {list(x.shape)}: a vector is needed")
    y, _, inverse, counts = unique(x, sorted=0)
    return y, inverse, counts


@op("Inverse", domain=MICROSOFT)
def inverse(x: Value) -> Value:
    """The inverses of the matrices x[..., n, n]."""
    square(x)
    return make("inverse", (x,), {}, x.dtype, x.shape)


@op("CDist", domain=MICROSOFT)
def cdist(a: Value, b: Value, *, metric: str = "sqeuclidean") -> Value:
    """The distance of each row of a from each row of b, or its square."""
    if metric not in ("sqeuclidean", "euclidean"):
        raise UnsupportedOp(f'metric="{metric}"')
    difference = a.reshape((a.shape[0], 1, a.shape[1])) - b.reshape((1, *b.shape))
    square = (difference * difference).sum(2).reshape((a.shape[0], b.shape[0]))
    return square if metric == "sqeuclidean" else square.sqrt()
