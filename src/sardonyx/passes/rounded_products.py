"""Contractions of floats with constant weights as products of bfloat16 numbers, where that is allowed.

Sums stay float32. Must not know kernels: the tile table says whether there is an instruction for it. Where
matrix registers multiply, they round by themselves; what their convolutions read, and maps beside them, is
rounded by what computes it, and takes half the memory. On vectors, windows that take few products by
transforms are left to these.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.digits import are_whole
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, make

_LEAST = 32
"""The least terms of a sum, and results beside each other, for which rounding its operands pays."""

_COMPUTED = ("map", "reduce", "contract")
"""Kinds of values that are rounded at no cost where they are stored."""

_TRANSFORMED = ((3, 3), (3,), (5,))
"""Windows of more than a point whose transforms save as much as the faster instruction, or more."""


def rounded_products(graph: Graph, goal: Goal) -> Graph:
    """The graph with operands rounded that a tile of bfloat16 multiplies."""
    if goal.find_tile("bf16") is None:
        return graph
    if goal.find_matrix("f32") is None:
        return graph.map(partial(_rewrite, goal))
    if goal.policy.winograd in ("f2", "f4"):
        return graph
    return graph.map(partial(_rewrite_stored, _read_by_convolutions(graph, goal.target.l2_bytes)))


def is_rounded(value: Value) -> bool:
    """Whether a contraction sums products of bfloat16 numbers in float32."""
    return value.dtype is dt.F32 and all(a.dtype is dt.BF16 for a in value.args[:2])


def _rewrite(goal: Goal, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim not in ("dot", "conv") or value.dtype is not dt.F32 or not _serves(value, goal):
        return value
    x, w = (a.cast(dt.BF16) for a in value.args)
    return _multiplied(value, x, w)


def _rewrite_stored(halves: set[int], old: Value, args: tuple[Value, ...]) -> Value:
    """A value that is stored in bfloat16, which who does not multiply it there widens, or what reads one."""
    value = rebuild(old, args)
    if value.prim == "conv" and old.args[0].id in halves and _on_matrices(old):
        x, w = value.args
        value = _multiplied(value, x.args[0], w.cast(dt.BF16))
    return value.cast(dt.BF16).cast(dt.F32) if old.id in halves else value


def _multiplied(value: Value, x: Value, w: Value) -> Value:
    """A contraction of operands that are rounded."""
    found = make(value.prim, (x, w), value.attrs, dt.F32, value.shape)
    inherit(found, value.origins)
    return found


def _read_by_convolutions(graph: Graph, l2_bytes: int) -> set[int]:
    """What is computed, does not stay in L2, and is read by convolutions, and by maps beside them."""
    outputs, uses = {value.id for _, value in graph.outputs}, graph.uses()
    computed = (v for v in graph.order() if v.kind in _COMPUTED and v.id not in outputs)
    large = (v for v in computed if v.rank > 2 and _overflows(v, l2_bytes))
    return {v.id for v in large if _gains(v, uses.get(v.id, ()))}


def _gains(value: Value, users: Sequence[Value]) -> bool:
    """Whether some convolution reads a value in halves, and who else reads it widens a vector at a time."""
    others = [user for user in users if not _reads_halves(user)]
    return len(others) < len(users) and all(u.kind == "map" and u.shape == value.shape for u in others)


def _overflows(value: Value, l2_bytes: int) -> bool:
    """Whether floats of a sample are not found in L2 any more when they are read; unknown pixels are many."""
    batch, *rest = value.shape
    size = dims.product(rest) * (batch if isinstance(batch, int) else 1)
    return not isinstance(size, int) or 2 * size * value.dtype.size_bytes >= l2_bytes


def _reads_halves(value: Value) -> bool:
    """Whether it is a convolution that gains where its input is stored in bfloat16."""
    return value.prim == "conv" and (_on_matrices(value) or _is_by_channel(value))


def _is_by_channel(value: Value) -> bool:
    """Whether a convolution is one of each channel by itself, over few enough taps to be bound by memory."""
    x, w = value.args
    single = value.attrs["group"] == w.shape[0] == x.shape[1] and w.shape[1] == 1
    return single and value.dtype is x.dtype is dt.F32 and w.data is not None and _may_round(w.data)


def _on_matrices(value: Value) -> bool:
    """Whether matrix registers compute a dense convolution of enough channels."""
    x, w = value.args
    if value.attrs["group"] > 1 or value.dtype is not dt.F32 or x.dtype is not dt.F32:
        return False
    if w.data is None or len(w.shape) > 4 or not _may_round(w.data):
        return False
    outputs, terms, *taps = (int(n) for n in w.data.shape)
    lines_apart = len(taps) == 2 and taps[0] > 1 and value.attrs["dilations"][0] > 1
    return min(terms, outputs) >= _LEAST and not lines_apart


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
