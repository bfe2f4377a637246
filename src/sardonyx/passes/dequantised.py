"""Contractions of dequantised operands as contractions of their points, scaled afterwards.

x * s @ w * t = (x @ w) * (s * t) for one s, and one t an output channel. The integer product is exact, so
fewer roundings happen than the model asks for. Where no tile multiplies small integers, nothing changes.
"""

from __future__ import annotations

from functools import partial

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, make
from sardonyx.passes.narrow import kept_weights, narrow, released

_VIEWS = frozenset({"reshape", "transpose", "slice", "broadcast"})


def dequantised(graph: Graph, goal: Goal) -> Graph:
    """Integer contractions where both operands are points, on scales or not; constants are kept no longer."""
    changed = graph if graph.primitives.isdisjoint(("dot", "conv")) else graph.map(partial(_rewrite, goal))
    return changed.map(_released) if "kept" in changed.primitives else changed


@dataclass(frozen=True, slots=True)
class Scaled:
    """Real numbers: whole ones (i32) times a scale (f32), one or of the same rank."""

    whole: Value
    scale: Value


def _released(value: Value, args: tuple[Value, ...]) -> Value:
    return args[0] if value.prim == "kept" else rebuild(value, args)


def _rewrite(goal: Goal, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if kept_weights(value):
        return narrow(value, goal) or value
    if value.prim not in ("dot", "conv") or value.dtype is not dt.F32:
        return value
    x, w = (scaled(a) for a in value.args)
    if x is None or w is None or x.scale.size != 1:
        return value
    scale = _of_channels(w, value)
    if scale is None:
        return value
    attrs = {**value.attrs, "dtype": dt.I32} if value.prim == "dot" else value.attrs
    whole = make(value.prim, (released(x.whole), w.whole), attrs, dt.I32, value.shape)
    product = narrow(whole, goal) if whole.prim == value.prim else whole
    return value if product is None else product.cast(dt.F32) * (x.scale * scale)


def scaled(value: Value) -> Scaled | None:
    """The points and the scale of what is dequantised and perhaps looked at through views; else None."""
    if value.prim == "mul" and value.args[0].prim == "cast" and value.dtype is dt.F32:
        whole, scale = _whole(value.args[0].args[0]), value.args[1]
        if whole is None:
            return None
        return Scaled(whole, scale.reshape(()) if scale.size == 1 else scale)
    inner = scaled(value.args[0]) if value.prim in _VIEWS else None
    if inner is None:
        return None
    if value.prim == "transpose" and inner.scale.rank:
        perm = value.attrs["perm"]
        return Scaled(inner.whole.transpose(*perm), inner.scale.transpose(*perm))
    if inner.scale.rank:
        return _with_more_axes(inner, value) if value.prim == "reshape" else None
    return Scaled(make(value.prim, (inner.whole,), value.attrs, dt.I32, value.shape), inner.scale)


def _with_more_axes(inner: Scaled, value: Value) -> Scaled | None:
    """A reshape that puts axes of size 1 before the others."""
    more = value.rank - inner.whole.rank
    if more < 0 or value.shape != (1,) * more + inner.whole.shape:
        return None
    return Scaled(inner.whole.reshape(value.shape), inner.scale.reshape((1,) * more + inner.scale.shape))


def _whole(value: Value) -> Value | None:
    """The i32 numbers of bytes and their zero point."""
    if value.dtype is not dt.I32:
        return None
    if value.prim == "sub":
        return _whole(value.args[0]) and value
    return value if value.prim == "cast" and value.args[0].dtype in (dt.U8, dt.I8) else None


def _of_channels(w: Scaled, value: Value) -> Value | None:
    """The scale of weights as it broadcasts with their contraction; None if it is not one an output."""
    if w.scale.rank == 0:
        return w.scale
    channel = w.scale.rank - 1 if value.prim == "dot" else 0
    if w.scale.size != w.scale.shape[channel]:
        return None
    along = value.rank - 1 if value.prim == "dot" else 1
    return w.scale.reshape(tuple(w.scale.size if a == along else 1 for a in range(value.rank)))
