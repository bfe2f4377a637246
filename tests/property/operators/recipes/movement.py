"""Calls of operators that rename, reorder, repeat, cut and join axes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula, reference
from tests.property.operators.recipe import Call, recipe

FAR = (2**31 - 1, 2**63 - 1, -(2**31), -(2**63), -(2**63) + 1)


def ints(values: Any, dtype: Any = np.int64) -> Array:
    return np.array(list(values), dtype)


def zero(dtype: np.dtype[Any]) -> Array:
    return np.array("" if kind_of(dtype) == "O" else 0, dtype)


@recipe("Transpose")
def transpose(d: Draw) -> Call:
    x = d.array(d.shape())
    return Call([x], judge=reference, perm=d.maybe(d.order(x.ndim)))


@recipe("Reshape")
def reshape(d: Draw) -> Call:
    x = d.array(d.shape())
    shape = d.factors(x.size)
    allowzero = d.opset >= 14 and (0 in shape or d.flag())
    if not allowzero and 0 in shape:
        shape = [n for n in x.shape]  # noqa: C416
    wanted = list(shape)
    for axis, n in enumerate(shape):
        if not allowzero and axis < x.ndim and n == x.shape[axis] and d.flag():
            wanted[axis] = 0
    if wanted and not (allowzero and 0 in shape) and d.flag():
        axis = d.integer(0, len(wanted) - 1)
        if 0 not in [n for a, n in enumerate(shape) if a != axis and (n,) != x.shape[a : a + 1]]:
            wanted[axis] = -1
    judge = formula(lambda x, *_: x.reshape(shape), exact=True)
    if d.opset < 5:
        return Call([x], judge=judge, shape=wanted)
    return Call([x, ints(wanted)], judge=judge, allowzero=1 if allowzero else None)


@recipe("Squeeze")
def squeeze(d: Draw) -> Call:
    x = d.array(d.shape(low=1))
    single = [a for a, n in enumerate(x.shape) if n == 1 and d.flag()]
    axes = [a - x.ndim if d.opset >= 11 and d.flag() else a for a in single]
    if d.flag():
        return Call([x], judge=reference)
    if d.opset < 13:
        return Call([x], judge=formula(lambda x: np.squeeze(x, tuple(axes)), exact=True), axes=axes)
    return Call([x, ints(axes)], judge=formula(lambda x, _: np.squeeze(x, tuple(axes)), exact=True))


@recipe("Unsqueeze")
def unsqueeze(d: Draw) -> Call:
    x = d.array(d.shape(most=3))
    count = d.integer(0 if d.opset >= 13 else 1, 2)
    rank = x.ndim + count
    axes = d.order(rank)[:count]
    named = [a - rank if d.opset >= 11 and d.flag() else a for a in axes]
    judge = formula(lambda x, *_: np.expand_dims(x, tuple(named)), exact=True)
    return Call([x], judge=judge, axes=named) if d.opset < 13 else Call([x, ints(named)], judge=judge)


@recipe("Flatten")
def flatten(d: Draw) -> Call:
    x = d.array(d.shape(least=0 if d.opset >= 9 else 1))
    axis = d.integer(-x.ndim if d.opset >= 11 else 0, x.ndim)
    before = x.shape[: axis if axis >= 0 else axis + x.ndim]
    rows, columns = int(np.prod(before)), int(np.prod(x.shape[len(before) :]))
    judge = formula(lambda x: x.reshape(rows, columns), exact=True)
    return Call([x], judge=judge, axis=None if axis == 1 and d.flag() else axis)


@recipe("Expand")
def expand(d: Draw) -> Call:
    a, b = d.broadcasting(2)
    judge = formula(lambda x, _: np.broadcast_to(x, np.broadcast_shapes(x.shape, b)), exact=True)
    return Call([d.array(a), ints(b)], judge=judge)


@recipe("Tile")
def tile(d: Draw) -> Call:
    if d.opset < 6:
        x = d.array(d.shape(least=1))
        axis, count = d.integer(0, x.ndim - 1), d.integer(0, 3)
        repeats = [count if a == axis else 1 for a in range(x.ndim)]
        judge = formula(lambda x, *_: np.tile(x, repeats), exact=True)
        return Call([x, np.array(count, d.element), np.array(axis, d.element)], judge=judge)
    x = d.array(d.shape())
    return Call([x, ints(d.integer(0, 3) for _ in x.shape)], judge=reference)


@recipe("Slice")
def slice_(d: Draw) -> Call:
    x = d.array(d.shape(least=1))
    axes = d.axes(x.ndim, least=1)
    if d.opset < 10:
        axes = [a % x.ndim for a in axes]
    bounds = [[_bound(d, x.shape[a]) for a in axes] for _ in range(2)]
    steps = [d.one_of(1, -1, 2, -2, 3, -7, *(FAR[1], FAR[4])) for _ in axes]
    given = None if axes == list(range(len(axes))) and d.flag() else axes
    if d.opset < 10:
        cut = _sliced(axes, *bounds, [1] * len(axes))
        return Call([x], judge=formula(cut, exact=True), starts=bounds[0], ends=bounds[1], axes=given)
    element = d.type("Tind")
    low, high = int(np.iinfo(element).min), int(np.iinfo(element).max)
    starts, ends, steps = ([min(max(n, low), high) for n in row] for row in (*bounds, steps))
    with_steps = d.flag()
    cut = _sliced(axes, starts, ends, steps if with_steps else [1] * len(axes))
    tail = [None if given is None else ints(axes, element)]
    tail += [ints(steps, element)] if with_steps else []
    return Call([x, ints(starts, element), ints(ends, element), *tail], judge=formula(cut, exact=True))


def _bound(d: Draw, size: int) -> int:
    return d.one_of(*FAR) if d.integer(0, 4) == 4 else d.integer(-size - 2, size + 2)


def _sliced(axes: list[int], starts: list[int], ends: list[int], steps: list[int]) -> Any:
    def run(x: Array, *_: Any) -> Array:
        """Bounds are clamped, so that an end below the first element is not taken for the last."""
        cut = [slice(None)] * x.ndim
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            n = x.shape[axis]
            first, last = (i + n if i < 0 else i for i in (start, end))
            if step > 0:
                cut[axis] = slice(min(max(first, 0), n), min(max(last, 0), n), step)
            else:
                first, last = min(max(first, 0), n - 1), min(max(last, -1), n - 1)
                cut[axis] = slice(first, None if last < 0 else last, step)
        return x[tuple(cut)]

    return run


@recipe("Concat")
def concat(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.integer(0, len(shape) - 1)
    parts = []
    for _ in range(d.integer(1, 4)):
        sizes = list(shape)
        sizes[axis] = d.integer(0, 3)
        parts.append(d.array(sizes))
    default = d.opset < 4 and axis == 1 and d.flag()
    judge = formula(lambda *xs: np.concatenate(xs, axis), exact=True)
    return Call(parts, judge=judge, axis=None if default else axis)


@recipe("Split")
def split(d: Draw) -> Call:
    shape = list(d.shape(least=1))
    axis = d.axis(len(shape)) if d.opset >= 11 else d.integer(0, len(shape) - 1)
    count = d.integer(1, 4)
    parts = [d.integer(1, 3), *(d.integer(0, 3) for _ in range(count - 1))]
    shape[axis] = sum(parts)
    even = d.flag()
    if even:
        shape[axis] = count * d.integer(1, 3)
        if d.opset >= 18:
            shape[axis] += d.integer(0, count - 1)
        chunk = -(-shape[axis] // count)
        parts = [chunk] * (count - 1) + [shape[axis] - chunk * (count - 1)]
        if parts[-1] < 0:
            shape[axis], parts = chunk * count, [chunk] * count
    ends = np.cumsum(parts)[:-1]
    judge = formula(lambda x, *_: tuple(np.split(x, ends, axis)), exact=True)
    x, given = d.array(shape), None if axis == 0 and d.flag() else axis
    if d.opset < 13:
        return Call([x], count, judge, axis=given, split=None if even else parts)
    if even and d.opset >= 18:
        return Call([x], count, judge, axis=given, num_outputs=count)
    return Call([x] if even else [x, ints(parts)], count, judge, axis=given)


@recipe("Pad")
def pad(d: Draw) -> Call:
    modes = ["constant", "reflect", "edge"] + (["wrap"] if d.opset >= 19 else [])
    mode = d.one_of(*modes)
    x = d.array(d.shape(least=1, low=0 if mode == "constant" else 1))
    on = d.axes(x.ndim) if d.opset >= 18 and d.flag() else list(range(x.ndim))
    pairs = [_amounts(d, x.shape[a], mode) for a in on]
    low, high = ([pair[side] for pair in pairs] for side in range(2))
    fill = d.maybe(d.array(())) if mode == "constant" and d.opset >= 11 else None
    if mode == "constant" and d.element == ml_dtypes.float8_e8m0fnu:
        fill = d.array(())  # there is no zero to fill with
    value = d.one_of(None, 0.5, -2.0) if mode == "constant" and d.opset < 11 else None
    judge = formula(_padding(on, low, high, mode, value if fill is None else fill), exact=True)
    named = None if mode == "constant" and d.flag() else mode
    if d.opset < 11:
        amounts = {"paddings" if d.opset < 2 else "pads": low + high}
        return Call([x], judge=judge, mode=named, value=value, **amounts)
    inputs = [x, ints(low + high), fill]
    if on != list(range(x.ndim)):
        inputs.append(ints(on, d.type("Tind")))
    return Call(inputs, judge=judge, mode=named)


def _amounts(d: Draw, size: int, mode: str) -> tuple[int, int]:
    """What is added before and after an axis; what is cut off first must leave enough to copy."""
    least = 0 if mode == "constant" else 1
    cuts = [0, 0]
    for side in range(2):
        if d.integer(0, 3) == 3:
            cuts[side] = d.integer(0, min(2, size - sum(cuts) - least))
    left = size - sum(cuts)
    most = left - 1 if mode == "reflect" else left if mode == "wrap" else 3
    low, high = (-cut or d.integer(0, most) for cut in cuts)
    return low, high


def _padding(on: list[int], low: list[int], high: list[int], mode: str, fill: Any) -> Any:
    def run(x: Array, *_: Any) -> Array:
        cut = [slice(None)] * x.ndim
        widths = [(0, 0)] * x.ndim
        for axis, before, after in zip(on, low, high, strict=True):
            cut[axis] = slice(max(-before, 0), x.shape[axis] - max(-after, 0))
            widths[axis] = max(before, 0), max(after, 0)
        value = zero(x.dtype) if fill is None else fill
        kept = x[tuple(cut)]
        if mode != "constant":
            return np.pad(kept, widths, mode)  # type: ignore[call-overload]
        inner = tuple(slice(b, b + n) for n, (b, _) in zip(kept.shape, widths, strict=True))
        result = np.full([n + b + a for n, (b, a) in zip(kept.shape, widths, strict=True)], value, x.dtype)
        result[inner] = kept
        return result

    return run


@recipe("DepthToSpace")
def depth_to_space(d: Draw) -> Call:
    block = d.integer(1, 3)
    n, c, h, w = d.shape(4, 4, high=3)
    mode = d.maybe(d.one_of("DCR", "CRD")) if d.opset >= 11 else None
    x = d.array((n, c * block * block, h, w))
    return Call([x], judge=formula(_blocks_out(block, mode or "DCR"), exact=True), blocksize=block, mode=mode)


def _blocks_out(block: int, mode: str) -> Any:
    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        depth = c // block**2
        if mode == "DCR":
            y = x.reshape(n, block, block, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            y = x.reshape(n, depth, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(n, depth, h * block, w * block)

    return run


@recipe("SpaceToDepth")
def space_to_depth(d: Draw) -> Call:
    block = d.integer(1, 3)
    n, c, h, w = d.shape(4, 4, high=3)
    mode = d.maybe(d.one_of("DCR", "CRD")) if d.opset >= 28 else None
    x = d.array((n, c, h * block, w * block))
    return Call([x], judge=formula(_blocks_in(block, mode or "DCR"), exact=True), blocksize=block, mode=mode)


def _blocks_in(block: int, mode: str) -> Any:
    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        y = x.reshape(n, c, h // block, block, w // block, block)
        order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
        return y.transpose(order).reshape(n, c * block**2, h // block, w // block)

    return run


@recipe("ReverseSequence")
def reverse_sequence(d: Draw) -> Call:
    x = d.array(d.shape(2, 4))
    batch = d.integer(0, 1)
    lengths = d.within((x.shape[batch],), min(1, x.shape[1 - batch]), x.shape[1 - batch], np.int64)
    default = batch == 1 and d.flag()
    return Call(
        [x, lengths],
        judge=formula(_reversed_at(batch), exact=True),
        batch_axis=None if default else batch,
        time_axis=None if default else 1 - batch,
    )


def _reversed_at(batch: int) -> Any:
    def run(x: Array, lengths: Array) -> Array:
        y = np.moveaxis(x.copy(), batch, 0)
        for row, count in zip(y, lengths, strict=True):
            row[:count] = row[:count][::-1].copy()
        return np.moveaxis(y, 0, batch)

    return run


@recipe("Trilu")
def trilu(d: Draw) -> Call:
    x = d.array(d.shape(least=2))
    upper, k = d.maybe(int(d.flag())), d.maybe(d.integer(-7, 7))
    keep = np.triu if upper != 0 else np.tril
    judge = formula(lambda x, k=None: np.where(_triangle(keep, x, k), x, zero(x.dtype)), exact=True)
    return Call([x, None if k is None else np.array(k, np.int64)], judge=judge, upper=upper)


def _triangle(keep: Any, x: Array, k: Array | None) -> Array:
    return np.asarray(keep(np.ones(x.shape[-2:], bool), 0 if k is None else int(k)))


@recipe("CenterCropPad")
def center_crop_pad(d: Draw) -> Call:
    x = d.array(d.shape(least=1))
    axes = d.maybe(d.axes(x.ndim, least=1))
    shape = [d.integer(0, 7) for _ in (range(x.ndim) if axes is None else axes)]
    on = list(range(x.ndim)) if axes is None else axes
    judge = formula(lambda x, _: _centred(x, on, shape), exact=True)
    return Call([x, ints(shape, d.type("Tind"))], judge=judge, axes=axes)


def _centred(x: Array, on: list[int], shape: list[int]) -> Array:
    for axis, n in zip(on, shape, strict=True):
        less, more = max(x.shape[axis] - n, 0), max(n - x.shape[axis], 0)
        x = np.moveaxis(x, axis, 0)[less // 2 : less // 2 + min(n, x.shape[axis])]
        parts = [np.full((k, *x.shape[1:]), zero(x.dtype)) for k in (more // 2, more - more // 2)]
        x = np.moveaxis(np.concatenate([parts[0], x, parts[1]]), 0, axis)
    return x


@recipe("Shape")
def shape(d: Draw) -> Call:
    x = d.array(d.shape())
    if d.opset < 15:
        return Call([x], judge=formula(lambda x: ints(x.shape), exact=True))
    start, end = (d.maybe(d.integer(-6, 6)) for _ in range(2))
    return Call([x], judge=formula(lambda x: ints(x.shape[start:end]), exact=True), start=start, end=end)


@recipe("Size")
def size(d: Draw) -> Call:
    return Call([d.array(d.shape())], judge=formula(lambda x: np.array(x.size, np.int64), exact=True))
