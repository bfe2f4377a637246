"""Pad in all its modes and opsets, and what is made of it."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, concat, dim_value, iota, map_, scalar
from sardonyx.ops.operands import integers, normal_axes, sizes
from sardonyx.ops.table import op

Ints = tuple[int, ...]
Amounts = tuple[Dim, ...]


@op("Pad", since=1)
def pad_paddings(x: Value, *, paddings: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    """Surround x; `paddings` are all begins, then all ends."""
    return padded(x, paddings, mode, scalar(value, x.dtype))


@op("Pad", since=2)
def pad_attributes(x: Value, *, pads: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    """Surround x; `pads` are all begins, then all ends."""
    return padded(x, pads, mode, scalar(value, x.dtype))


@op("Pad", since=11)
def pad(
    x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *, mode: str = "constant"
) -> Value:
    """Surround x on some axes; `pads` are all begins, then all ends; negative amounts crop."""
    amounts = sizes(pads, "pads", None)
    fill = None if value is None else value.reshape(()).cast(x.dtype)
    if axes is None:
        return padded(x, amounts, mode, fill)
    on = integers(axes, "axes")
    normal_axes(on, x.rank)
    if len(amounts) != 2 * len(on):
        raise ShapeError(f"pads {list(amounts)} do not fit axes {list(on)}")
    full: list[Dim] = [0] * (2 * x.rank)
    for i, axis in enumerate(on):
        full[x.axis(axis)], full[x.axis(axis) + x.rank] = amounts[i], amounts[i + len(on)]
    return padded(x, tuple(full), mode, fill)


def padded(x: Value, amounts: Amounts, mode: str, fill: Value | None) -> Value:
    """`x` with amounts[axis] elements before and amounts[axis + rank] after, made up by `mode`."""
    if len(amounts) != 2 * x.rank:
        raise ShapeError(f"pads {list(amounts)} do not fit the rank of {list(x.shape)}")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise UnsupportedOp(f'mode="{mode}"')
    ends = list(zip(amounts[: x.rank], amounts[x.rank :], strict=True))
    if mode == "constant":
        ends = [_within(n, *pair) for n, pair in zip(x.shape, ends, strict=True)]
    low, high = tuple(a for a, _ in ends), tuple(b for _, b in ends)
    x = _cropped(x, low, high)
    low, high = (tuple(dims.maximum(n, 0) for n in side) for side in (low, high))
    if mode == "constant":
        return x.pad(low, high, fill)
    for axis in range(x.rank):
        x = _mirrored(x, axis, low[axis], high[axis], mode)
    return x


def _within(n: Dim, low: Dim, high: Dim) -> tuple[Dim, Dim]:
    """Amounts with the same result that cut off no more than n: the rest is taken from the other end's."""
    if isinstance(low, int) and isinstance(high, int) and low * high >= 0:
        return low, high
    rest = dims.minimum(low + n, 0) - dims.minimum(high + n, 0)
    return low - rest, high + rest


def _cropped(x: Value, low: Amounts, high: Amounts) -> Value:
    """`x` without what negative amounts cut off."""
    before, after = ([dims.maximum(0 - n, 0) for n in amounts] for amounts in (low, high))
    lengths = [n - b - a for n, b, a in zip(x.shape, before, after, strict=True)]
    return x.slice(before, lengths)


def _mirrored(x: Value, axis: int, low: Dim, high: Dim, mode: str) -> Value:
    return concat([*_side(x, axis, low, mode, True), x, *_side(x, axis, high, mode, False)], axis)


def _side(x: Value, axis: int, amount: Dim, mode: str, before: bool) -> list[Value]:
    """What stands before or behind x: a part of it, or elements from where they repeat if they are more."""
    if amount == 0:
        return []
    n = x.shape[axis]
    if not dims.at_least(n, {"wrap": amount, "reflect": amount + 1, "edge": 1}[mode]):
        count = dim_value(n, dt.I64)
        first = dim_value(0 - amount if before else n, dt.I64)
        return [x.gather(_source(iota((amount,), 0, dt.I64) + first, count, mode), axis)]
    start, step = {
        ("edge", True): (0, 1),
        ("edge", False): (n - 1, 1),
        ("reflect", True): (amount, -1),
        ("reflect", False): (n - 2, -1),
        ("wrap", True): (n - amount, 1),
        ("wrap", False): (0, 1),
    }[mode, before]
    starts = [start if a == axis else 0 for a in range(x.rank)]
    lengths = [amount if a == axis else size for a, size in enumerate(x.shape)]
    taken = [1 if a == axis and mode == "edge" else length for a, length in enumerate(lengths)]
    return [x.slice(starts, taken, [step if a == axis else 1 for a in range(x.rank)]).broadcast(lengths)]


def _source(position: Value, count: Value, mode: str) -> Value:
    """Where in 0..count-1 the element at a position outside comes from."""
    if mode == "edge":
        return position.max(0).min(count - 1)
    if mode == "wrap":
        return map_("mod", position, count)
    period = ((count - 1) * 2).max(1)
    phase = map_("mod", position, period)
    return phase.min(period - phase).min(count - 1)


@op("CenterCropPad", since=18)
def center_crop_pad(x: Value, shape: Value, *, axes: Ints | None = None) -> Value:
    """Crop or zero-pad around the centre to the given sizes."""
    wanted = sizes(shape, "the shape")
    on = tuple(range(x.rank)) if axes is None else tuple(x.axis(a) for a in axes)
    starts: list[Dim] = [0] * x.rank
    lengths, low, high = list(x.shape), list(starts), list(starts)
    for axis, target in zip(on, wanted, strict=True):
        crop, more = (dims.maximum(d, 0) for d in (x.shape[axis] - target, target - x.shape[axis]))
        starts[axis], lengths[axis] = dims.floordiv(crop, 2), dims.minimum(x.shape[axis], target)
        low[axis] = dims.floordiv(more, 2)
        high[axis] = more - low[axis]
    return x.slice(starts, lengths).pad(low, high)
