"""Taps of convolutions that meet nothing but padding, whatever the pixel, are left out of their weights.

Small images have many: a window of 3x3 around a single pixel is that pixel. Must not know kernels, which
leave out what a tile of pixels does not reach where sizes are not known.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, const, make


def unreached(graph: Graph, goal: Goal) -> Graph:
    """Convolutions of constant weights without the taps that reach no element."""
    return graph.map(_rewrite) if "conv" in graph.primitives else graph


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "conv" or value.args[1].data is None or not value.args[1].is_numeric_const:
        return value
    (x, w), at, taps = value.args, value.attrs, value.args[1].data
    low, high, kept = list(at["low"]), list(at["high"]), [slice(None)] * 2
    for axis, window in enumerate(w.shape[2:]):
        step, apart = at["strides"][axis], at["dilations"][axis]
        size, results = x.shape[2 + axis], value.shape[2 + axis]
        reached = _reached(size, results, int(window), step, apart, low[axis])  # type: ignore[arg-type]
        kept.append(slice(reached.start, reached.stop))
        if len(reached) < int(window):  # type: ignore[arg-type]
            low[axis] -= reached.start * apart
            high[axis] = (results - 1) * step + (len(reached) - 1) * apart + 1 - size - low[axis]
    rest = taps[tuple(kept)]
    if rest.size == taps.size or not _are_finite(taps):
        return value
    attrs = {**at, "low": tuple(low), "high": tuple(high)}
    return make("conv", (x, const(np.ascontiguousarray(rest))), attrs, value.dtype, value.shape)


def _reached(size: Dim, results: Dim, window: int, step: int, apart: int, low: Dim) -> range:
    """The taps of an axis from the first to the last that meet an element; all, if they end inside."""
    if not (isinstance(size, int) and isinstance(results, int) and isinstance(low, int)):
        return range(window)
    before = [low - tap * apart for tap in range(window)]
    meets = [
        tap
        for tap, left in enumerate(before)
        if max(0, -(-left // step)) <= min(results - 1, (size - 1 + left) // step)
    ]
    if not meets:
        return range(window)
    found = range(meets[0], meets[-1] + 1)
    end = (results - 1) * step + found[-1] * apart - low
    return found if found[0] * apart <= low and end >= size - 1 else range(window)


def _are_finite(taps: np.ndarray) -> bool:
    return taps.dtype.kind in "iu" or bool(np.isfinite(taps).all())
