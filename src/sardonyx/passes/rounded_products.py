"""Contractions of floats with constant weights as products of bfloat16 numbers, where that is allowed.

Sums stay float32. Must not know kernels: the tile table says whether there is an instruction for it. Where
matrix registers multiply, they round by themselves; windows that take few products by transforms are left
to these.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.digits import are_whole
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, make

_LEAST = 32
"""The least terms of a sum, and results beside each other, for which rounding its operands pays."""

_TRANSFORMED = ((3, 3), (3,), (5,))
"""Windows of more than a point whose transforms save as much as the faster instruction, or more."""


def rounded_products(graph: Graph, goal: Goal) -> Graph:
    """The graph with operands rounded that a tile of bfloat16 multiplies."""
    if goal.find_tile("bf16") is None or goal.find_matrix("f32") is not None:
        return graph
    return graph.map(partial(_rewrite, goal))


def is_rounded(value: Value) -> bool:
    """Whether a contraction sums products of bfloat16 numbers in float32."""
    return value.dtype is dt.F32 and all(a.dtype is dt.BF16 for a in value.args[:2])


def _rewrite(goal: Goal, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim not in ("dot", "conv") or value.dtype is not dt.F32 or not _serves(value, goal):
        return value
    x, w = (a.cast(dt.BF16) for a in value.args)
    found = make(value.prim, (x, w), value.attrs, dt.F32, value.shape)
    inherit(found, value.origins)
    return found


def _serves(value: Value, goal: Goal) -> bool:
    """Whether weights may be rounded, and pairs of products are whole."""
    x, w = value.args
    if x.dtype is not dt.F32 or w.data is None or not _may_round(w.data):
        return False
    if value.prim == "dot":
        terms, results = w.data.shape[-2:]
        return int(terms) % 2 == 0 and min(terms, results) >= _LEAST
    results, terms, *taps = w.data.shape
    if value.attrs["group"] > 1 or terms % 2 or min(terms, results) < _LEAST or len(taps) > 2:
        return False
    return goal.policy.winograd == "off" or not _is_transformed(taps, value)


def _is_transformed(taps: Sequence[int], value: Value) -> bool:
    """Whether a window has transforms."""
    return tuple(n for n in taps if n > 1) in _TRANSFORMED and set(value.attrs["strides"]) == {1}


def _may_round(w: np.ndarray) -> bool:
    """Whether all are finite, and not all whole: sums of whole numbers are to stay exact."""
    return bool(np.isfinite(w).all()) and not are_whole(w)
