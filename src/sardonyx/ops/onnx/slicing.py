"""Operators that cut tensors apart, join and surround them."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, concat, const
from sardonyx.ops.demands import at_least, equal, shaped
from sardonyx.ops.operands import integers, is_computed, sizes
from sardonyx.ops.table import Node, op

Ints = tuple[int, ...]
_FAR = 2**31 - 1


def _from_start(index: Dim, size: Dim) -> Dim:
    """A negative index counted from the start."""
    if isinstance(index, int):
        return index + size if index < 0 else index
    return dims.where(dims.less(index, 0), index + size, index)


def span(size: Dim, start: Dim, end: Dim, step: int) -> tuple[Dim, Dim]:
    """First position and length of start:end:step over an axis, clamped as ONNX does.

    Python has it otherwise where a step is negative: a start before the axis is its first element here.
    """
    if isinstance(end, int) and abs(end) >= _FAR:
        end = size if end > 0 else -1 - size
    literal = isinstance(start, int) and abs(start) < _FAR
    first = _from_start(start, size)
    if step > 0:
        first = dims.maximum(first if literal else dims.minimum(first, size), 0)
        last = dims.minimum(_from_start(end, size), size)
        return first, dims.maximum(dims.ceildiv(last - first, step), 0)
    first = dims.minimum(dims.maximum(first, 0), size - 1)
    last = dims.maximum(_from_start(end, size), -1)
    return first, dims.maximum(dims.ceildiv(first - last, -step), 0)


def sliced(x: Value, starts: tuple[Dim, ...], ends: tuple[Dim, ...], axes: Ints, steps: Ints) -> Value:
    """x[start:end:step] on the given axes."""
    if not len(starts) == len(ends) == len(axes) == len(steps):
        counts = f"{len(starts)}, {len(ends)}, {len(axes)} and {len(steps)}"
        raise ShapeError(f"the numbers of starts, ends, axes and steps differ: {counts}")
    first, length, by = [0] * x.rank, list(x.shape), [1] * x.rank
    firsts: list[Dim] = list(first)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ValueError("a step must not be 0")
        at = x.axis(axis)
        n = x.shape[at]
        most = max(n, 1) if isinstance(n, int) else _FAR
        by[at] = min(max(step, -most), most)
        firsts[at], length[at] = span(n, start, end, by[at])
    return x.slice(firsts, length, by)


def _bounds(
    x: Value, starts: Value, ends: Value, given: list[int]
) -> tuple[tuple[Dim, ...], tuple[Dim, ...]]:
    """Where the first axes begin and end; `given` is for how many, if other operands say so.

    Where it is computed for how many, all axes have bounds; those behind the last of these are whole.
    """
    known = [*given, *(n for n in (starts.size, ends.size) if isinstance(n, int))]
    parts = {"starts": starts, "ends": ends}
    if known:
        read = {what: shaped(v, what, known[0]) if is_computed(v.size) else v for what, v in parts.items()}
        return sizes(read["starts"], "starts", None), sizes(read["ends"], "ends", None)
    if not (is_computed(starts.size) and is_computed(ends.size)):
        return sizes(starts, "starts", None), sizes(ends, "ends", None)
    count = starts.size
    equal(count, ends.size, "the numbers of starts and ends differ")
    at_least(x.rank, count, "there are more starts than axes")
    none = const(np.zeros(x.rank, np.int64))
    first, last = (
        sizes(concat((v.cast(dt.I64), none), 0).slice((0,), (x.rank,)), what, None)
        for what, v in parts.items()
    )
    has = [dims.less(axis, count) for axis in range(x.rank)]
    return (
        tuple(dims.where(bounded, n, 0) for bounded, n in zip(has, first, strict=True)),
        tuple(dims.where(bounded, n, _FAR) for bounded, n in zip(has, last, strict=True)),
    )


@op("Slice", since=1)
def slice_attributes(x: Value, *, starts: Ints, ends: Ints, axes: Ints | None = None) -> Value:
    """x[start:end] on some axes."""
    return sliced(x, starts, ends, tuple(range(len(starts))) if axes is None else axes, (1,) * len(starts))


@op("Slice", since=10)
def slice_(
    x: Value, starts: Value, ends: Value, axes: Value | None = None, steps: Value | None = None
) -> Value:
    """x[start:end:step] on some axes; starts and ends may be computed."""
    named = None if axes is None else integers(axes, "axes")
    stepped = None if steps is None else integers(steps, "steps")
    given = [len(n) for n in (named, stepped) if n is not None]
    first, last = _bounds(x, starts, ends, given)
    on = tuple(range(len(first))) if named is None else named
    by = (1,) * len(first) if stepped is None else stepped
    if len({x.axis(a) for a in on}) != len(on):
        raise ShapeError(f"the axes {list(on)} name one twice")
    return sliced(x, first, last, on, by)


def split_at(x: Value, parts: tuple[Dim, ...], axis: int) -> tuple[Value, ...]:
    """Consecutive pieces of the given sizes along an axis, which they must fill."""
    axis = x.axis(axis)
    must_equal(sum(parts), x.shape[axis], f"parts {{}} do not fill axis {axis} of {{}}", parts, x.shape)
    pieces = []
    before: Dim = 0
    for part in parts:
        first = [before if a == axis else 0 for a in range(x.rank)]
        pieces.append(x.slice(first, [part if a == axis else n for a, n in enumerate(x.shape)]))
        before = before + part
    return tuple(pieces)


def _equal_parts(size: Dim, count: int) -> tuple[Dim, ...]:
    chunk = dims.ceildiv(size, count)
    return (*(chunk,) * (count - 1), size - chunk * (count - 1))


def _pieces(x: Value, split: tuple[Dim, ...] | None, axis: int, count: int) -> tuple[Value, ...]:
    return split_at(x, split if split is not None else _equal_parts(x.shape[x.axis(axis)], count), axis)


@op("Split", since=1)
def split_attribute(
    x: Value, sizes_input: Value | None = None, *, axis: int = 0, split: Ints | None = None, node: Node
) -> tuple[Value, ...]:
    """Pieces along an axis, equal ones by default."""
    given = split if sizes_input is None else sizes(sizes_input, "sizes", None)
    return _pieces(x, given, axis, len(node.outputs))


@op("Split", since=13)
def split_input(x: Value, split: Value | None = None, *, axis: int = 0, node: Node) -> tuple[Value, ...]:
    """Pieces along an axis, equal ones by default."""
    return _pieces(x, None if split is None else sizes(split, "sizes", None), axis, len(node.outputs))


@op("Split", since=18)
def split_(
    x: Value, split: Value | None = None, *, axis: int = 0, num_outputs: int | None = None, node: Node
) -> tuple[Value, ...]:
    """Pieces along an axis, by default equal ones but for a smaller last one."""
    count = num_outputs or len(node.outputs)
    if not 0 < count <= len(node.outputs):
        raise ShapeError(f"num_outputs is {count}, the node has {len(node.outputs)} outputs")
    return _pieces(x, None if split is None else sizes(split, "sizes", None), axis, count)


@op("Concat", since=1)
def concat_default(*xs: Value, axis: int = 1) -> Value:
    """Join along an axis."""
    return joined(xs, axis)


@op("Concat", since=4)
def concat_(*xs: Value, axis: int) -> Value:
    """Join along an axis."""
    return joined(xs, axis)


def joined(xs: tuple[Value, ...], axis: int) -> Value:
    """Join along an axis. Raises ShapeError for different element types."""
    if any(x.dtype is not xs[0].dtype for x in xs):
        raise ShapeError(f"cannot join element types {[x.dtype.onnx_name for x in xs]}")
    return concat(xs, axis)
