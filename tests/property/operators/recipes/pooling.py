"""Calls of operators that reduce windows, and of what undoes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS, Windows, sizes, views, wide, windows
from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

CONTRIB = "com.microsoft"


def image(d: Draw, n: tuple[int, ...], specials: str = "nonfinite") -> Array:
    """[N, C, n...] of few or many channels."""
    return d.array((d.one_of(1, 2, 0), d.one_of(*WIDTHS), *n), specials=specials)


def inner(y: Array, w: Windows) -> tuple[int, ...]:
    """The axes of the places inside a window."""
    return tuple(range(y.ndim - len(w.kernel), y.ndim))


@recipe("MaxPool")
def max_pool(d: Draw) -> Call:
    newer = d.opset >= 10
    w = windows(d, ceil=newer, dilated=newer, small_pads=True, cut=True)
    x = image(d, w.n)
    seen = views(np.ones((1, 1, *w.n)), w, 0)
    indices = bool(d.opset >= 8 and seen.sum(inner(seen, w)).all() and d.flag())
    order = d.one_of(0, 1) if indices else None

    def judge(x: Array) -> Any:
        y = _maximum(x, w)
        return (y, _places(x, w, order or 0)) if indices else y

    return Call([x], 1 + indices, formula(judge), zeros=False, storage_order=order, **_fitting(w, d))


def _fitting(w: Windows, d: Draw) -> dict[str, Any]:
    """The attributes that the opset knows."""
    first = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}.get(d.operator, 1)
    return w.attributes(d, *(["dilations"] if d.opset < first else []))


def _maximum(x: Array, w: Windows) -> Array:
    lowest = -np.inf if kind_of(x.dtype) == "f" else np.iinfo(x.dtype).min
    seen = views(wide(x), w, lowest)
    return np.asarray(seen.max(inner(seen, w))).astype(x.dtype)


def _places(x: Array, w: Windows, column_major: int) -> Array:
    """The flat places of the maxima."""
    shape = (1, 1, *w.n)
    flat = np.arange(np.prod(w.n)).reshape(shape, order="F" if column_major else "C")
    lowest = -np.inf if kind_of(x.dtype) == "f" else np.iinfo(x.dtype).min
    seen, where = views(wide(x), w, lowest), views(flat, w, -1)
    rows = seen.reshape(*seen.shape[: 2 + len(w.n)], w.taps)
    outside = np.broadcast_to(where.reshape(1, 1, *w.out, w.taps) < 0, rows.shape)
    best = np.argmax(np.where(outside, -np.inf, rows), -1)
    best = np.where(np.isneginf(rows).all(-1), np.argmin(outside, -1), best)
    numbers = np.broadcast_to(where.reshape(1, 1, *w.out, w.taps), rows.shape)
    plane = np.take_along_axis(numbers, best[..., None], -1)[..., 0]
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * len(w.n))
    return np.asarray(plane + planes * int(np.prod(w.n))).astype(np.int64)


@recipe("AveragePool")
def average_pool(d: Draw) -> Call:
    w = windows(d, ceil=d.opset >= 10, dilated=d.opset >= 19, small_pads=True, cut=True)
    x = image(d, w.n)
    include = d.maybe(d.one_of(0, 1)) if d.opset >= 7 else None
    most = float(sizes(x).max(initial=0))
    attributes = _fitting(w, d) | ({} if include is None else {"count_include_pad": include})
    return Call(
        [x],
        judge=formula(lambda x: averages(x, w, include or 0)),
        length=w.taps,
        magnitude=most,
        **attributes,
    )


def averages(x: Array, w: Windows, include: int) -> Array:
    """The means of windows; pads count if `include`."""
    seen = views(wide(x).astype(np.float64), w, 0)
    room = tuple(n + a + b for n, a, b in zip(w.n, w.low, w.high, strict=True))
    whole = np.ones((1, 1, *(room if include else w.n)))
    low = (0,) * len(w.n) if include else w.low
    lists = (whole.shape[2:], w.kernel, w.strides, w.dilations, w.pads)
    counts = views(whole, Windows(*lists, "NOTSET", w.ceil, low, w.out), 0)
    total = seen.sum(inner(seen, w)) / counts.sum(inner(counts, w))
    return np.asarray(total).astype(x.dtype)


@recipe("LpPool")
def lp_pool(d: Draw) -> Call:
    w = windows(d, ceil=d.opset >= 18, dilated=d.opset >= 18, small_pads=True, cut=True)
    x, p = image(d, w.n), d.one_of(2, 1, 3)

    def judge(x: Array) -> Array:
        seen = np.abs(views(wide(x), w, 0)) ** p
        return np.asarray(seen.sum(inner(seen, w)) ** (1 / p)).astype(x.dtype)

    attributes = _fitting(w, d)
    if p != 2 or d.flag():
        attributes["p"] = float(p) if d.opset == 1 else p
    return Call([x], judge=formula(judge), length=w.taps, magnitude=20.0, **attributes)


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(d: Draw) -> Call:
    x = image(d, d.shape(1, 3, 1, 17))
    axes = tuple(range(2, x.ndim))
    p = d.one_of(2, 1, 3)

    def judge(x: Array) -> Array:
        y = x.astype(np.float64)
        if d.operator == "GlobalMaxPool":
            return np.asarray(y.max(axes, keepdims=True)).astype(x.dtype)
        if d.operator == "GlobalAveragePool":
            return np.asarray(y.mean(axes, keepdims=True)).astype(x.dtype)
        return np.asarray((np.abs(y) ** p).sum(axes, keepdims=True) ** (1 / p)).astype(x.dtype)

    length = int(np.prod(x.shape[2:]))
    attributes = {"p": float(p) if d.opset == 1 else p} if d.operator == "GlobalLpPool" else {}
    most = float(sizes(x).max(initial=0))
    return Call([x], 1, formula(judge), length, zeros=False, magnitude=most, **attributes)


@recipe("MaxUnpool")
def max_unpool(d: Draw) -> Call:
    rank = d.one_of(2, 1, 3)
    kernel, strides = ([d.integer(1, 3) for _ in range(rank)] for _ in range(2))
    n = [d.integer(1, 4) for _ in range(rank)]
    pads = [d.integer(0, 1) for _ in range(2 * rank)]
    inferred = [(n[a] - 1) * strides[a] - pads[a] - pads[a + rank] + kernel[a] for a in range(rank)]
    if any(m < 1 for m in inferred) or np.prod(inferred) < np.prod(n):
        pads, strides = [0] * (2 * rank), [max(s, 1) for s in strides]
        kernel = [max(k, 1) for k in kernel]
        inferred = [(n[a] - 1) * strides[a] + kernel[a] for a in range(rank)]
    lead = (d.one_of(1, 2), d.one_of(1, 3, 16))
    shape = (*lead, *inferred)
    x = d.array((*lead, *n))
    places = d.random().permutation(int(np.prod(shape)))[: x.size].reshape(x.shape).astype(np.int64)
    wanted = d.maybe(np.array([m + d.integer(0, 2) for m in shape], np.int64))

    def judge(x: Array, places: Array, wanted: Array | None) -> Array:
        y = np.zeros(shape, x.dtype)
        y.reshape(-1)[places.reshape(-1)] = x.reshape(-1)
        return y if wanted is None else np.pad(y, [(0, m - k) for m, k in zip(wanted, shape, strict=True)])

    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    return Call([x, places, wanted], judge=formula(judge), **attributes)


@recipe("LRN")
def lrn(d: Draw) -> Call:
    x = d.array((d.one_of(1, 2, 0), d.one_of(*WIDTHS), *d.shape(1, 2, 1, 5)), specials="nonfinite")
    size = d.one_of(5, 1, 2, 3, 4)
    alpha, beta, bias = d.one_of(2.0**-13, 0.5), d.one_of(0.75, 0.5, 1.25), d.one_of(1.0, 2.0)

    def judge(x: Array) -> Array:
        squares = np.pad(wide(x) ** 2, [(0, 0), ((size - 1) // 2, size // 2), *[(0, 0)] * (x.ndim - 2)])
        total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
        return np.asarray(x / (bias + alpha / size * total) ** beta).astype(x.dtype)

    return Call([x], judge=formula(judge), length=size, size=size, alpha=alpha, beta=beta, bias=bias)


@recipe("NhwcMaxPool", domain=CONTRIB, types="u8 i8")
def nhwc_max_pool(d: Draw) -> Call:
    w = windows(d, small_pads=True, cut=True)
    x = image(d, w.n)

    def judge(x: Array) -> Array:
        return np.moveaxis(_maximum(np.moveaxis(x, -1, 1), w), 1, -1)

    return Call([np.moveaxis(x, 1, -1).copy()], judge=formula(judge), **w.attributes(d))


def scale(d: Draw) -> tuple[Array, Array]:
    """A scale and a zero point of the element type."""
    info = np.iinfo(d.element)
    return d.within((), 0.01, 0.2, np.float32), d.within((), int(info.min), int(info.max))


def numbers(x: Array, step: Array, zero: Array) -> Array:
    """The numbers of points, in float32 as the definition has it."""
    return (x.astype(np.int64) - np.int64(zero)).astype(np.float32) * step


def points(real: Array, step: Array, zero: Array) -> Array:
    """Numbers as points."""
    info = np.iinfo(zero.dtype)
    moved = np.rint(real.astype(np.float64) / np.float64(step)) + np.float64(zero)
    return np.asarray(moved.clip(info.min, info.max)).astype(zero.dtype)
