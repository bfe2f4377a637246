"""Maps of what a transposed convolution spreads over pixels, computed before it is spread.

There they are the end of the convolution that gives all phases side by side. Must not know how these are
computed.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.rewrite import Uses, map_counted
from sardonyx.ir.value import Value, const, map_

_SPREAD = (0, 3, 4, 1, 5, 2, 6)
"""Of samples, phases of lines and of pixels, blocks, lines, pixels and channels, as `blocking` writes it."""


def spread_last(graph: Graph, goal: Goal) -> Graph:
    """Maps with numbers, or with one number a channel, in front of the transposition."""
    if "transpose" not in graph.primitives or "conv_blocked" not in graph.primitives:
        return graph
    return map_counted(graph, _rewrite)


def _rewrite(value: Value, args: tuple[Value, ...], uses: Uses) -> Value:
    value = rebuild(value, args)
    if value.kind != "map" or value.attrs or value.rank != 5:
        return value
    spread = [arg for arg in value.args if not arg.is_numeric_const]
    if len(spread) != 1 or uses(spread[0]) != 1:
        return value
    turned = spread[0].args[0] if spread[0].prim == "reshape" else spread[0]
    if turned.prim != "transpose" or turned.attrs["perm"] != _SPREAD or turned.args[0].prim != "reshape":
        return value
    split = turned.args[0]
    phases = split.shape[1] * split.shape[2]
    sums, blocks = split.args[0], split.shape[3]
    if sums.rank != 5 or not isinstance(phases, int):
        return value
    before = [sums if arg is spread[0] else _of_phases(arg, phases, blocks) for arg in value.args]
    if any(arg is None for arg in before):
        return value
    mapped = map_(value.prim, *(arg for arg in before if arg is not None))
    return mapped.reshape(split.shape).transpose(*_SPREAD).reshape(value.shape)


def _of_phases(number: Value, phases: int, blocks: Dim) -> Value | None:
    """A constant for all phases side by side, if it does not depend on where a pixel is."""
    if number.size == 1:
        return number.reshape(())
    if number.data is None or number.rank != 5 or number.shape[:1] + number.shape[2:4] != (1, 1, 1):
        return None
    repeats = phases if number.shape[1] == blocks else 1
    return const(np.tile(number.data, (1, repeats, 1, 1, 1)))
