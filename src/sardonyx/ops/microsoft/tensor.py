"""Operators of com.microsoft over tensors, most of which ai.onnx has under the same or another name."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value, concat, dim_value, iota, make, scalar
from sardonyx.ops.demands import ranked, shaped
from sardonyx.ops.onnx.generate import range_, trilu
from sardonyx.ops.onnx.index import gather_nd
from sardonyx.ops.onnx.linear import square
from sardonyx.ops.onnx.pool import windows_of
from sardonyx.ops.onnx.sampling import grid_sample
from sardonyx.ops.onnx.sort import unique
from sardonyx.ops.padding import pad
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints, Sliding, Window

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


@op("SampleOp", domain=MICROSOFT)
def sample_op(x: Value) -> Value:
    """x as it is."""
    return x


@op("DynamicTimeWarping", domain=MICROSOFT)
def dynamic_time_warping(cost: Value) -> Value:
    """The cheapest way [2, P] from the first to the last corner of costs [M, N] or [1, M, N]."""
    ranked(cost, "the costs", 2, 3)
    if cost.rank == 3:
        cost = shaped(cost, "the costs", 1, *cost.shape[1:]).reshape(cost.shape[1:])
    return data_sized("time_warp", (cost,), {}, [(dt.I32, (2, None))])[0]


@op("MaxpoolWithMask", domain=MICROSOFT)
def max_pool_with_mask(
    x: Value,
    mask: Value,
    *,
    kernel_shape: Ints = (),
    auto_pad: str = "NOTSET",
    pads: Ints = (),
    storage_order: int = 0,
    strides: Ints = (),
) -> Value:
    """MaxPool of which a window's last axis ends at the first 0 of the mask [1, 1, ...]; NaN is left out.

    The first element of an image of several axes counts whatever its mask is, as onnxruntime has it.
    """
    mask = shaped(mask, "the mask", 1, 1, *x.shape[2:])
    moves = Sliding(pads=pads, strides=strides, auto_pad=auto_pad)
    window = Window.of(x.shape[2:], kernel_shape, moves)
    there = mask.eq(0).logical_not()
    if x.rank > 3:
        numbers = iota((dims.product(x.shape[2:]),), 0, dt.I64).reshape(mask.shape)
        there = there.logical_or(numbers.eq(0))
    least = scalar(float(np.finfo(np.float32).min), x.dtype)
    views = windows_of(there.cast(dt.I32), window, scalar(1, dt.I32))
    taps = views.shape[-1]
    assert isinstance(taps, int)
    size, zeros = (*views.shape[:-1], 1), (0,) * (views.rank - 1)
    open_, kept = views.slice((*zeros, 0), size), []
    for tap in range(taps):
        open_ = open_ * views.slice((*zeros, tap), size)
        kept.append(open_)
    seen = windows_of(least.lt(x).where(x, least), window, least)
    chosen = concat(kept, views.rank - 1).eq(0).where(least, seen)
    return chosen.reduce_max(*range(x.rank, chosen.rank)).reshape(chosen.shape[: x.rank])
