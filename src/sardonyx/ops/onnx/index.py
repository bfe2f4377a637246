"""Operators that pick or place elements by integer tensors."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, dim_value, iota, make, map_, scalar
from sardonyx.ops.demands import ranked, shaped
from sardonyx.ops.onnx.sort import places_of
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op

_REDUCTIONS = ("none", "add", "mul", "max", "min")


def within(x: Value, count: Dim) -> Value:
    """Integers as they are; a run with one that is not in 0 .. count - 1 is refused."""
    numbers = x.cast(dt.I64)
    places = numbers.lt(scalar(0, dt.I64)).where(dim_value(count, dt.I64), numbers)
    zeros = scalar(0, x.dtype).broadcast((count,))
    return x + zeros.gather(places, 0)


def rows_at(x: Value, index: Value, axis: int) -> Value:
    """What lies at an index along an axis, with all axes behind it: y[a, t, ...] = x[a, index[a, t], ...].

    `index` has the axes before it, of size 1 where it is the same, and one more.
    """
    index = index.broadcast((*x.shape[:axis], index.shape[axis]))
    if axis == x.rank - 1:
        return make("gather_elements", (x, index), {"axis": axis}, x.dtype, index.shape)
    shape = (*index.shape, *x.shape[axis + 1 :])
    return make("gather_nd", (x, index.reshape((*index.shape, 1))), {"batch_dims": axis}, x.dtype, shape)


def rows_near(x: Value, index: Value, axis: int) -> Value:
    """Like `rows_at`; beyond an end the row there, and zeros where x has no row."""
    missing = dims.maximum(1 - x.shape[axis], 0)
    x = x.pad((0,) * x.rank, tuple(missing if a == axis else 0 for a in range(x.rank)))
    return rows_at(x, index.max(0).min(dim_value(x.shape[axis] - 1, dt.I64)), axis)


@op("Gather", since=1)
def gather(x: Value, indices: Value, *, axis: int = 0) -> Value:
    """Slices of x at the indices along an axis; one known index is a view."""
    at = x.axis(axis)
    if indices.is_numeric_const and indices.data is not None and indices.size == 1 and not x.is_const:
        index, n = int(indices.data.reshape(())), x.shape[at]
        if isinstance(n, int) and not -n <= index < n:
            raise ShapeError(f"index {index} is out of range for axis {at} of {list(x.shape)}")
        start: list[Dim] = [0] * x.rank
        start[at] = index + n if index < 0 else index
        picked = x.slice(start, [1 if a == at else s for a, s in enumerate(x.shape)])
        return picked.reshape((*x.shape[:at], *indices.shape, *x.shape[at + 1 :]))
    return x.gather(indices, at)


@op("GatherElements", since=11)
def gather_elements(x: Value, indices: Value, *, axis: int = 0) -> Value:
    """y[i] = x[i with indices[i] at `axis`]."""
    if x.rank != indices.rank:
        raise ShapeError(f"indices {list(indices.shape)} have another rank than {list(x.shape)}")
    return make("gather_elements", (x, indices), {"axis": x.axis(axis)}, x.dtype, indices.shape)


@op("GatherND", since=11)
def gather_nd(x: Value, indices: Value, *, batch_dims: int = 0) -> Value:
    """y[b, i...] = x[b, indices[b, i..., :]]."""
    depth = _depth(indices)
    if not 0 <= batch_dims < indices.rank or not 1 <= depth <= x.rank - batch_dims:
        raise ShapeError(
            f"indices {list(indices.shape)} do not fit {list(x.shape)} with batch_dims={batch_dims}"
        )
    shape = (*indices.shape[:-1], *x.shape[batch_dims + depth :])
    return make("gather_nd", (x, indices), {"batch_dims": batch_dims}, x.dtype, shape)


@op("Scatter", since=9)
def scatter(x: Value, indices: Value, updates: Value, *, axis: int = 0) -> Value:
    """The old name of ScatterElements."""
    return scatter_elements(x, indices, updates, axis=axis)


@op("ScatterElements", since=11)
def scatter_elements(
    x: Value, indices: Value, updates: Value, *, axis: int = 0, reduction: str = "none"
) -> Value:
    """A copy of x with y[i with indices[i] at `axis`] reduced with updates[i]."""
    if not x.rank == indices.rank == updates.rank:
        raise ShapeError(
            f"indices {list(indices.shape)} and updates {list(updates.shape)} do not fit {list(x.shape)}"
        )
    attrs = {"axis": x.axis(axis), "reduction": _known(reduction)}
    return make("scatter_elements", (x, indices, updates), attrs, x.dtype, x.shape)


@op("ScatterND", since=11)
def scatter_nd(x: Value, indices: Value, updates: Value, *, reduction: str = "none") -> Value:
    """A copy of x with y[indices[i..., :]] reduced with updates[i...]."""
    depth = _depth(indices)
    if depth > x.rank or updates.rank != indices.rank - 1 + x.rank - depth:
        raise ShapeError(
            f"indices {list(indices.shape)} and updates {list(updates.shape)} do not fit {list(x.shape)}"
        )
    return make("scatter_nd", (x, indices, updates), {"reduction": _known(reduction)}, x.dtype, x.shape)


def _depth(indices: Value) -> int:
    """How many axes one index names."""
    if not indices.rank:
        raise ShapeError("indices need at least one axis")
    depth = indices.shape[-1]
    if not isinstance(depth, int):
        raise needs_size(depth, "the length of an index")
    return depth


def _known(reduction: str) -> str:
    if reduction not in _REDUCTIONS:
        raise UnsupportedOp(f'reduction="{reduction}"')
    return reduction


@op("Compress", since=9)
def compress(x: Value, condition: Value, *, axis: int | None = None) -> Value:
    """The slices of x along an axis (of x as a vector by default) where the condition holds."""
    flat = x.reshape((x.size,)) if axis is None else x
    at = flat.axis(axis or 0)
    places = places_of(condition)
    return flat.gather(places.reshape((places.shape[1],)), at)


@op("ReverseSequence", since=10)
def reverse_sequence(x: Value, lengths: Value, *, batch_axis: int = 1, time_axis: int = 0) -> Value:
    """The first lengths[b] steps of each batch element in reverse order."""
    if {batch_axis, time_axis} != {0, 1}:
        raise UnsupportedOp(f"batch_axis={batch_axis}, time_axis={time_axis}")
    turn = (1, 0, *range(2, x.rank))
    rows = x.transpose(*turn) if time_axis == 0 else x
    step = iota((1, rows.shape[1]), 1, dt.I64)
    count = within(lengths.cast(dt.I64), rows.shape[1] + 1).reshape((rows.shape[0], 1))
    reversed_ = rows_at(rows, step.lt(count).where(count - 1 - step, step), 1)
    return reversed_.transpose(*turn) if time_axis == 0 else reversed_


@op("TensorScatter", since=24)
def tensor_scatter(
    past_cache: Value,
    update: Value,
    write_indices: Value | None = None,
    *,
    axis: int = -2,
    mode: str = "linear",
) -> Value:
    """A copy of the cache in which `update` replaces a stretch of an axis, from the index of its batch on."""
    at, rank = past_cache.axis(axis), past_cache.rank
    ranked(update, "the update", rank)
    room, length = past_cache.shape[at], update.shape[at]
    update = shaped(update, "the update", *past_cache.shape[:at], length, *past_cache.shape[at + 1 :])
    place = iota((*(1,) * at, room), at, dt.I64)
    if write_indices is not None:
        last = room if mode == "circular" else room - length + 1
        place = place - within(write_indices.cast(dt.I64), last).reshape((past_cache.shape[0], *(1,) * at))
        if mode == "circular":
            place = map_("mod", place, dim_value(room, dt.I64))
    written = scalar(0, dt.I64).le(place).logical_and(place.lt(dim_value(length, dt.I64)))
    fresh = rows_near(update, place, at)
    return written.reshape((*written.shape, *(1,) * (rank - at - 1))).where(fresh, past_cache)
