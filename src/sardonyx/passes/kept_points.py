"""Points that stay what they are: the largest of dequantised numbers is the largest point, dequantised.

And what is quantised again on the scale and zero point that it came from is the point it was. Results are the
same bits, in a quarter of the memory.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, make, map_, scalar
from sardonyx.passes.saturated import rounded

_NORMAL = 1e-30, 1e30
"""Scales between these are normal numbers, and so are products with points."""

_VIEWS = ("pad", "window", "slice")


def kept_points(graph: Graph, goal: Goal) -> Graph:
    """The graph with maxima of points in the place of those of what they stand for."""
    del goal
    return graph if graph.primitives.isdisjoint(("round", "rmax")) else graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    match value.prim:
        case "rmax":
            found = _of_largest(value)
        case "reshape":
            found = _of_view(value)
        case "cast":
            found = _as_before(value)
        case _:
            return value
    if found is None:
        return value
    inherit(found, value.origins)
    return found


def _of_largest(value: Value) -> Value | None:
    """The largest points of windows, dequantised."""
    views = []
    x = value.args[0]
    while x.prim in _VIEWS:
        views.append(x)
        x = x.args[0]
    points = points_of(x)
    if points is None or not any(view.prim == "window" for view in views):
        return None
    if not all(_has_own(view, views[0]) for view in views):
        return None
    largest = points
    for view in reversed(views):
        if view.prim == "pad":
            lowest = scalar(0 if points.dtype is dt.U8 else -128, points.dtype)
            largest = largest.pad(view.attrs["low"], view.attrs["high"], lowest)
        else:
            largest = _of(view, largest)
    return _dequantised_as(x, _of(value, largest))


def _has_own(view: Value, last: Value) -> bool:
    """Whether no window sees only what is put around, if anything is: that would be no point."""
    if view.prim != "pad":
        return True
    window = last.args[0] if last.prim == "slice" else last
    at, fill = view.attrs, view.args[1].data
    if window.prim != "window" or fill is None or not bool(fill == -float("inf")):
        return False
    around = dict(enumerate(zip(at["low"], at["high"], strict=True)))
    steps = [window.attrs[name] for name in ("axes", "kernel", "dilations")]
    for axis, kernel, dilation in zip(*steps, strict=True):
        low, high = around.pop(axis)
        if dilation != 1 or not isinstance(low, int) or not isinstance(high, int) or low + high >= kernel:
            return False
    return not any(map(any, around.values()))


def points_of(x: Value) -> Value | None:
    """The bytes that a value is dequantised from by one scale above zero; None if it is not."""
    if x.prim != "mul" or x.args[0].prim != "cast" or x.dtype is not dt.F32:
        return None
    scale, whole = x.args[1], x.args[0].args[0]
    if scale.data is None or scale.size != 1 or not _NORMAL[0] < float(scale.data.reshape(())) < _NORMAL[1]:
        return None
    if whole.prim == "sub" and whole.args[1].is_numeric_const and whole.args[1].size == 1:
        whole = whole.args[0]
    is_whole = whole.prim == "cast" and whole.dtype is dt.I32 and whole.args[0].dtype in (dt.U8, dt.I8)
    return whole.args[0] if is_whole and whole.args[0].shape == x.shape else None


def _of_view(value: Value) -> Value | None:
    """Points in another shape, dequantised."""
    x = value.args[0]
    points = points_of(x)
    return None if points is None else _dequantised_as(x, _of(value, points))


def _of(value: Value, points: Value) -> Value:
    """What a value is of others, of points."""
    return make(value.prim, (points,), value.attrs, points.dtype, value.shape)


def _dequantised_as(x: Value, points: Value) -> Value:
    """Points dequantised as those of x are."""
    whole, scale = x.args[0].args[0], x.args[1]
    numbers = points.cast(dt.I32)
    if whole.prim == "sub":
        numbers = map_("sub", numbers, whole.args[1].reshape(()))
    return map_("mul", numbers.cast(dt.F32), scale.reshape(()))


def _as_before(value: Value) -> Value | None:
    """The points that a value was dequantised from, if it is quantised as they were."""
    found = rounded(value) if value.dtype is dt.U8 else None
    if found is None or found.computed is not None or found.real.prim != "div":
        return None
    x, divisor = found.real.args
    points = points_of(x)
    if points is None or points.dtype is not dt.U8 or divisor.data is None or divisor.size != 1:
        return None
    whole, scale = x.args[0].args[0], x.args[1]
    zero = whole.args[1].data if whole.prim == "sub" else None
    before = 0 if zero is None else int(zero.reshape(()))
    same = found.zero.size == 1 and int(found.zero.reshape(())) == before
    assert scale.data is not None
    return points if same and float(scale.data.reshape(())) == float(divisor.data.reshape(())) else None
