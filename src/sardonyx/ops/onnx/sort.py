"""Operators that sort and select: TopK, NonZero, Unique, NonMaxSuppression."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.algorithms import sort
from sardonyx.ir.data_size import content
from sardonyx.ir.value import Value, concat, const, iota, make, many, zero
from sardonyx.ops.operands import size
from sardonyx.ops.table import op


def top(x: Value, k: Dim, axis: int, largest: bool) -> tuple[Value, Value]:
    """The k best elements along an axis, best first, and their places (int64)."""
    axis = x.axis(axis)
    if dims.at_least(x.shape[axis], k) is False:
        raise ShapeError(f"k {k} is larger than the axis of {x.shape[axis]}")
    shape = tuple(k if a == axis else n for a, n in enumerate(x.shape))
    if k == 1 and (largest or not x.dtype.is_float):
        # NaN, which is above all numbers here, is what both argmax and argmin find first.
        attrs = {"axis": axis, "last": False}
        place = make("argmax" if largest else "argmin", (x,), attrs, dt.I64, shape)
        return make("gather_elements", (x, place), {"axis": axis}, x.dtype, shape), place
    attrs_many = {"k": k, "axis": axis, "largest": largest}
    values, places = many("topk", (x,), attrs_many, [(x.dtype, shape), (dt.I64, shape)])
    return values, places


@op("TopK")
def topk_1(x: Value, *, k: int, axis: int = -1) -> tuple[Value, Value]:
    """The k largest elements along an axis, k known in the model."""
    return top(x, k, axis, True)


@op("TopK", since=10)
def topk_10(x: Value, k: Value, *, axis: int = -1) -> tuple[Value, Value]:
    """The k largest elements along an axis."""
    return top(x, size(k, "k"), axis, True)


@op("TopK", since=11)
def topk(x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Value, Value]:
    """The k largest or smallest elements along an axis; sorted in any case."""
    return top(x, size(k, "k"), axis, bool(largest))


@op("NonZero", since=9)
def non_zero(x: Value) -> Value:
    """The places of all nonzero elements, one column each."""
    rank = max(x.rank, 1)
    if x.is_numeric_const and x.data is not None:
        return const(sort.nonzero(x.data, count=int(np.count_nonzero(x.data))))
    if x.prim == "broadcast" and x.rank and x.args[0].is_numeric_const and np.all(x.args[0].data):
        return concat([iota(x.shape, a, dt.I64).reshape((1, x.size)) for a in range(rank)], 0)
    return places_of(x)


def places_of(x: Value) -> Value:
    """The places of all nonzero elements, i64 [max(rank, 1), their number]."""
    there = x.eq(zero(x.dtype)).logical_not() if x.dtype is dt.STRING else x.cast(dt.BOOL)
    (count,) = content(there.cast(dt.I64).sum(*range(x.rank)).reshape((1,)))
    return make("nonzero", (x,), {"count": count}, dt.I64, (max(x.rank, 1), count))


@op("Unique", since=11)
def unique(x: Value, *, axis: int | None = None, sorted: int = 1) -> tuple[Value, ...]:
    """Distinct elements or slices, their first places, the number of each one, and their counts."""
    at = None if axis is None else x.axis(axis)
    flat = x.reshape((x.size,)) if at is None else x
    total = flat.shape[at or 0]
    kinds = [*[(dt.I64, (total,))] * 3, (dt.I64, (1,))]
    first, inverse, counts, number = many("unique", (x,), {"axis": at, "ordered": bool(sorted)}, kinds)
    (count,) = content(number)
    first, counts = first.slice((0,), (count,)), counts.slice((0,), (count,))
    return flat.gather(first, at or 0), first, inverse, counts


@op("NonMaxSuppression", since=10)
def non_max_suppression(
    boxes: Value,
    scores: Value,
    max_output_boxes_per_class: Value | None = None,
    iou_threshold: Value | None = None,
    score_threshold: Value | None = None,
    *,
    center_point_box: int = 0,
) -> Value:
    """Rows (batch, class, box) of the boxes that no better box of their class overlaps too much."""
    given = {"limit": max_output_boxes_per_class, "overlap": iou_threshold, "least": score_threshold}
    extras = {name: value for name, value in given.items() if value is not None}
    if boxes.rank != 3 or scores.rank != 3:
        raise ShapeError(
            f"boxes and scores need rank 3, they are {list(boxes.shape)} and {list(scores.shape)}"
        )
    if any(value.size != 1 for value in extras.values() if isinstance(value.size, int)):
        raise ShapeError("the limits of NonMaxSuppression must be one number each")
    batches, classes, size = scores.shape
    capacity = size
    if max_output_boxes_per_class is None:
        capacity = 0
    elif max_output_boxes_per_class.is_numeric_const and max_output_boxes_per_class.data is not None:
        capacity = dims.minimum(size, max(0, int(max_output_boxes_per_class.data.reshape(-1)[0])))
    attrs = {"extras": tuple(extras), "centred": bool(center_point_box), "capacity": capacity}
    kinds = [(dt.I64, (batches * classes * capacity, 3)), (dt.I64, (1,))]
    rows, number = many("nms", (boxes, scores, *extras.values()), attrs, kinds)
    (count,) = content(number)
    return rows.slice((0, 0), (count, 3))
