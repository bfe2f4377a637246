"""Reductions of whole tensors in two steps, so that threads share the first.

A reduction with a single result has no points that threads could share. Its last axes are reduced first,
which leaves as many points as the axes before them have. The order of a sum depends on sizes alone.
"""

from __future__ import annotations

import math

from sardonyx.base.dim import ASSUMED, Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value

_REDUCTIONS = ("sum", "rmax", "rmin")
_LEAST = 1 << 15
"""Elements below which one thread is as fast."""
_RUN = 256
"""Elements that a point of the first step reduces, at least: the second step is next to nothing beside it."""


def totals(graph: Graph, goal: Goal) -> Graph:
    """Reductions of large tensors to one element, over their last axes first, then over the others."""
    return graph if graph.primitives.isdisjoint(_REDUCTIONS) else graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim not in _REDUCTIONS or any(n != 1 for n in value.shape):
        return value
    first = _first_axes(value.args[0].shape, value.attrs["axes"])
    return value.args[0].reduce(value.prim, first).reduce(value.prim, value.attrs["axes"]) if first else value


def _first_axes(shape: tuple[Dim, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the first step; none if the tensor is small, or if no others would be left."""
    sizes = [n if isinstance(n, int) else ASSUMED for n in shape]
    if math.prod(sizes) >= _LEAST:
        for place in range(len(axes) - 1, 0, -1):
            if math.prod(sizes[a] for a in axes[place:]) >= _RUN:
                return axes[place:]
    return ()
