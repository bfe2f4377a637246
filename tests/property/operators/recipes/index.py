"""Calls of operators that pick, place, sort and select."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

OUT_OF_RANGE = "an index is out of range"


def places(d: Draw, shape: Any, size: int, dtype: Any = np.int64, negative: bool = True) -> tuple[Array, str]:
    """Indices into an axis, and why they are invalid, if they are."""
    low = -size if negative else 0
    indices = d.within(shape, low, size - 1, dtype)
    if not indices.size or d.integer(0, 9) < 9:
        return indices, ""
    indices.reshape(-1)[d.integer(0, indices.size - 1)] = d.one_of(size, -size - 1, 2**31 - 1, -(2**31))
    return indices, OUT_OF_RANGE


@recipe("Gather")
def gather(d: Draw) -> Call:
    x = d.array(d.shape(least=1, low=1))
    axis = d.axis(x.ndim)
    indices, wrong = places(d, d.shape(most=3), x.shape[axis], d.type("Tind"), d.opset >= 11)
    judge = formula(lambda x, i: np.asarray(np.take(x, i, axis), x.dtype), exact=True)
    given = None if axis == 0 and d.flag() else axis
    return Call([x, indices], judge=judge, invalid=wrong, axis=given)


@recipe("GatherElements")
def gather_elements(d: Draw) -> Call:
    x = d.array(d.shape(least=1, low=1))
    axis = d.axis(x.ndim)
    sizes = [d.integer(0, n) for n in x.shape]
    sizes[axis] = d.integer(0, 4)
    indices, wrong = places(d, sizes, x.shape[axis], d.type("Tind"))

    def run(x: Array, i: Array) -> Array:
        grid = list(np.indices(i.shape))
        grid[axis] = i
        return x[tuple(grid)]

    return Call([x, indices], judge=formula(run, exact=True), invalid=wrong, axis=axis)


@recipe("GatherND")
def gather_nd(d: Draw) -> Call:
    x = d.array(d.shape(least=1, low=1))
    batch = d.integer(0, x.ndim - 1) if d.opset >= 12 else 0
    depth = d.integer(1, x.ndim - batch)
    outer = [*x.shape[:batch], *d.shape(most=2)]
    columns = [places(d, outer, x.shape[batch + k]) for k in range(depth)]
    indices = np.stack([column for column, _ in columns], -1)

    def run(x: Array, i: Array) -> Array:
        count = int(np.prod(x.shape[:batch]))
        flat, rows = x.reshape(count, *x.shape[batch:]), i.reshape(count, -1, depth)
        picked = [flat[b][tuple(rows[b].T)] for b in range(len(flat))]
        return np.stack(picked).reshape((*i.shape[:-1], *x.shape[batch + depth :]))

    wrong = next((text for _, text in columns if text), "")
    judge = formula(run, exact=True)
    return Call([x, indices], judge=judge, invalid=wrong, batch_dims=batch or None)


REDUCE = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def reduction(d: Draw) -> str | None:
    """What is done with what lies at a place already, as the opset and the type allow it."""
    known = ["none"] + (["add", "mul"] if d.opset >= 16 else []) + (["max", "min"] if d.opset >= 18 else [])
    numeric = kind_of(d.element) in "fiu"
    return d.maybe(d.one_of(*known)) if d.opset >= 16 and numeric else None


def different(d: Draw, sizes: list[int], axis: int, size: int) -> Array:
    """Places along an axis, none twice in a row, as an assignment must have them."""
    every = [size if a == axis % len(sizes) else n for a, n in enumerate(sizes)]
    mixed = d.random().random(every).argsort(axis)
    return mixed.take(np.arange(sizes[axis]), axis)


@recipe("Scatter", "ScatterElements")
def scatter_elements(d: Draw) -> Call:
    how = reduction(d) if d.operator == "ScatterElements" else None
    x = d.array(d.shape(least=1, low=1), specials="nonfinite")
    axis = d.axis(x.ndim)
    sizes = [d.integer(0, n) for n in x.shape]
    indices, wrong = places(d, sizes, x.shape[axis], d.type("Tind"), d.opset >= 11)
    if how in (None, "none") and not wrong:
        indices = different(d, sizes, axis, x.shape[axis]).astype(indices.dtype)
    updates = d.array(sizes, specials="nonfinite")

    def run(x: Array, i: Array, u: Array) -> Array:
        y = x.copy()
        grid = list(np.indices(i.shape))
        grid[axis] = np.where(i < 0, i + x.shape[axis], i)
        if how in REDUCE:
            REDUCE[how].at(y, tuple(grid), u)
        else:
            y[tuple(grid)] = u
        return y

    return Call(
        *([x, indices, updates], 1, formula(run, exact=how not in REDUCE), _length(how, updates)),
        invalid=wrong,
        zeros=False,
        axis=axis,
        reduction=how,
    )


def _length(how: str | None, updates: Array) -> int:
    return updates.size + 1 if how in ("add", "mul") else 0


@recipe("ScatterND")
def scatter_nd(d: Draw) -> Call:
    how = reduction(d)
    x = d.array(d.shape(least=1, low=1), specials="nonfinite")
    depth = d.integer(1, x.ndim)
    cells = int(np.prod(x.shape[:depth]))
    outer = d.shape(most=2, high=3)
    count = int(np.prod(outer))
    if how in REDUCE:
        flat = d.within(outer, 0, cells - 1, np.int64)
    else:
        outer = (min(count, cells),)
        flat = d.random().permutation(cells)[: outer[0]]
    columns = np.unravel_index(flat, x.shape[:depth])
    indices = np.stack([np.asarray(c, np.int64) for c in columns], -1)
    if d.opset >= 13 and d.flag():
        indices = indices - np.array(x.shape[:depth]) * (d.integer(0, 1))
    wrong = ""
    if indices.size and d.integer(0, 9) == 9:
        indices.reshape(-1)[0], wrong = d.one_of(x.shape[0], -x.shape[0] - 1, 2**62), OUT_OF_RANGE
    updates = d.array((*outer, *x.shape[depth:]), specials="nonfinite")

    def run(x: Array, i: Array, u: Array) -> Array:
        y = x.copy()
        at = tuple(np.moveaxis(i, -1, 0))
        if how in REDUCE:
            REDUCE[how].at(y, at, u)
        else:
            y[at] = u
        return y

    return Call(
        *([x, indices, updates], 1, formula(run, exact=how not in REDUCE), _length(how, updates)),
        invalid=wrong,
        zeros=False,
        reduction=how,
    )


@recipe("Compress")
def compress(d: Draw) -> Call:
    x = d.array(d.shape(least=1))
    axis = d.maybe(d.axis(x.ndim) if d.opset >= 11 else d.integer(0, x.ndim - 1))
    room = x.size if axis is None else x.shape[axis]
    condition = d.array((d.integer(0, room),), bool)
    judge = formula(lambda x, c: np.compress(c, x, axis), exact=True)
    return Call([x, condition], judge=judge, axis=axis)


@recipe("NonZero")
def non_zero(d: Draw) -> Call:
    x = d.array(d.shape())
    if kind_of(d.element) == "O":
        x = np.where(x == "a", "", x).astype(object)
    # By the definition a scalar gives [0, n]; onnxruntime gives [1, n], and so does this engine.
    flat = x.reshape(1) if x.ndim == 0 else x
    return Call([x], judge=formula(lambda _: np.array(np.nonzero(flat), np.int64), exact=True))


@recipe("TopK")
def top_k(d: Draw) -> Call:
    x = d.array(d.shape(least=1))
    axis = d.axis(x.ndim)
    k = d.integer(0, x.shape[axis])
    largest = d.maybe(int(d.flag())) if d.opset >= 11 else None

    def run(x: Array, *_: Any) -> tuple[Array, Array]:
        order = np.argsort(x, axis=axis, kind="stable")
        if largest != 0:
            back = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
            order = x.shape[axis] - 1 - np.flip(back, axis)
        at = np.take(order, np.arange(k), axis)
        return np.take_along_axis(x, at, axis), at.astype(np.int64)

    judge = formula(run, exact=True)
    given = None if axis == -1 and d.flag() else axis
    if d.opset < 10:
        return Call([x], 2, judge, axis=given, k=k)
    ordered = 1 if d.opset >= 11 and d.flag() else None
    return Call([x, np.array([k], np.int64)], 2, judge, axis=given, largest=largest, sorted=ordered)


@recipe("Unique")
def unique(d: Draw) -> Call:
    x = d.array(d.shape(least=1, low=1), specials="none")
    if kind_of(x.dtype) in "fiu":
        x = d.within(x.shape, 0, 3)
    axis, ordered = d.maybe(d.axis(x.ndim)), d.maybe(int(d.flag()))

    def run(x: Array) -> tuple[Array, ...]:
        kind = {"return_index": True, "return_inverse": True, "return_counts": True}
        words = np.array(sorted(set(x.flat)), object) if x.dtype == object else None
        keys = x if words is None else np.searchsorted(words, x)
        y, first, inverse, counts = np.unique(keys, axis=axis, **kind)
        y = y if words is None else words[y]
        inverse = inverse.reshape(-1)
        if ordered == 0:
            order = np.argsort(first)
            y = np.take(y, order, 0 if axis is None else axis)
            first, counts, inverse = first[order], counts[order], np.argsort(order)[inverse]
        return (y.astype(x.dtype), *(a.astype(np.int64) for a in (first, inverse, counts)))

    if d.flag():
        return Call([x], judge=formula(lambda x: run(x)[0], exact=True), axis=axis, sorted=ordered)
    return Call([x], 4, formula(run, exact=True), axis=axis, sorted=ordered)


@recipe("TensorScatter")
def tensor_scatter(d: Draw) -> Call:
    shape = list(d.shape(least=2, low=1))
    axis = d.integer(1, len(shape) - 1)
    update = list(shape)
    update[axis] = d.integer(1, shape[axis])
    mode = d.maybe(d.one_of("linear", "circular"))
    most = shape[axis] - 1 if mode == "circular" else shape[axis] - update[axis]
    at = d.maybe(d.within((shape[0],), 0, most, np.int64))
    inputs = [d.array(shape), d.array(update), at]
    judge = formula(lambda x, u, at=None: _written(x, u, at, axis), exact=True)
    given = None if axis == len(shape) - 2 and d.flag() else axis - len(shape) if d.flag() else axis
    return Call(inputs, judge=judge, axis=given, mode=mode)


def _written(x: Array, update: Array, at: Array | None, axis: int) -> Array:
    y = x.copy()
    for b in range(len(x)):
        start = 0 if at is None else int(at[b])
        rows, new = np.moveaxis(y[b], axis - 1, 0), np.moveaxis(update[b], axis - 1, 0)
        for i in range(len(new)):
            rows[(start + i) % x.shape[axis]] = new[i]
    return y


@recipe("OneHot")
def one_hot(d: Draw) -> Call:
    depth = d.integer(1, 5)
    indices = d.within(d.shape(least=1, most=3), 0 if kind_of(d.element) == "u" else -depth - 1, depth + 1)
    indices = np.trunc(indices.astype(np.float64)).astype(d.element)
    axis = d.maybe(d.axis(indices.ndim + 1))
    values = d.array((2,), d.type("T3"))
    count = np.array(depth if d.flag() else [depth], d.type("T2"))

    def run(i: Array, _: Array, values: Array) -> Array:
        wide = i.astype(np.int64)
        hot = np.where(wide < 0, wide + depth, wide)[..., None] == np.arange(depth)
        return np.moveaxis(np.where(hot, values[1:], values[:1]), -1, -1 if axis is None else axis)

    return Call([indices, count, values], judge=formula(run, exact=True), axis=axis)
