"""Reductions of whole tensors in two steps, so that threads share the first.

A reduction with a single result has no points that threads could share. Its last axes are reduced first,
which leaves as many points as the axes before them have. The order of a sum depends on sizes alone. Both ends
of a range are found by one kernel, row by row: a large tensor comes from memory once, if it is there.
"""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.assumed import ASSUMED
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, const, make

_REDUCTIONS = ("sum", "rmax", "rmin")
_ENDS = {"rmax": 1.0, "rmin": -1.0}
"""Both ends of a range: the smallest number is the largest one of the others' opposites."""
_LEAST = 1 << 15
"""Elements below which one thread is as fast."""
_RUN = 256
"""Elements that a point of the first step reduces, at least: the second step is next to nothing beside it."""


def totals(graph: Graph, goal: Goal) -> Graph:
    """Reductions of large tensors to one element, over their last axes first, then over the others."""
    return graph if graph.primitives.isdisjoint(_REDUCTIONS) else graph.map(_Rewrite(graph))


class _Rewrite:
    """Writes values anew; knows of which floats both ends are asked for."""

    def __init__(self, graph: Graph) -> None:
        found: dict[tuple[int, tuple[int, ...]], set[str]] = {}
        for value in graph.order():
            if value.prim in _ENDS and value.dtype is dt.F32:
                found.setdefault((value.args[0].id, value.attrs["axes"]), set()).add(value.prim)
        self.ranges = {at for at, ends in found.items() if len(ends) == len(_ENDS)}
        self.first: dict[tuple[int, tuple[int, ...]], Value] = {}

    def __call__(self, value: Value, args: tuple[Value, ...]) -> Value:
        old, value = value, rebuild(value, args)
        if value.prim not in _REDUCTIONS or any(n != 1 for n in value.shape):
            return value
        (x,), axes = value.args, value.attrs["axes"]
        first = _first_axes(x.shape, axes)
        if not first:
            return value
        if old.prim in _ENDS and (old.args[0].id, axes) in self.ranges:
            return self.end(x, first, value.prim).reduce("rmax", axes) * _ENDS[value.prim]
        return x.reduce(value.prim, first).reduce(value.prim, axes)

    def end(self, x: Value, axes: tuple[int, ...], prim: str) -> Value:
        """One of both ends of the first step, which one kernel finds: those of x and of -x."""
        at = axes[0]
        outer = x.shape[:at]
        if (x.id, axes) not in self.first:
            self.first[x.id, axes] = _of_both_signs(x, axes) if _is_made_anew(x) else _ends(x, at)
        both = self.first[x.id, axes]
        one = both.slice((*(0,) * at, list(_ENDS).index(prim)), (*outer, 1))
        return one.reshape((*outer, *(1,) * (x.rank - at)))


def _ends(x: Value, at: int) -> Value:
    """Both ends of what is in memory, over an axis and all behind it."""
    return make("ends", (x,), {"axis": at}, x.dtype, (*x.shape[:at], 2))


def _of_both_signs(x: Value, axes: tuple[int, ...]) -> Value:
    """The same of what is computed where it is read."""
    at = axes[0]
    signs = np.array(list(_ENDS.values()), x.dtype.numpy)
    both = x.reshape((*x.shape[:at], 1, *x.shape[at:])) * const(signs.reshape(-1, *(1,) * (x.rank - at)))
    return both.reduce("rmax", [a + 1 for a in axes]).reshape((*x.shape[:at], 2))


def _is_made_anew(x: Value) -> bool:
    """Whether each reader computes x for itself: of an input, or of what is smaller."""
    while x.kind == "view" and x.args:
        x = x.args[0]
    large = (a for a in x.args if a.kind != "source" and a.size == x.size)
    return x.kind == "map" and not any(large)


def _first_axes(shape: tuple[Dim, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the first step; none if the tensor is small, or if no others would be left."""
    sizes = [n if isinstance(n, int) else ASSUMED for n in shape]
    if math.prod(sizes) >= _LEAST:
        for place in range(len(axes) - 1, 0, -1):
            if math.prod(sizes[a] for a in axes[place:]) >= _RUN:
                return axes[place:]
    return ()
