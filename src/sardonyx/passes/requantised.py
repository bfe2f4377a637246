"""Real numbers on their way from one scale to the next: what they are divided by joins their factors.

round((f(n) * s + b) / c) = round(f(n) * (s / c) + b / c): a product less, and no quotient, which takes
several times as long. What is rounded moves by the roundings of its factors, so `strict` is left alone.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.rewrite import Uses, map_counted
from sardonyx.ir.value import Value, map_

_LEAST, _MOST = 1e-30, 1e30
"""Factors between these stay normal numbers when they are multiplied with each other."""


def requantised(graph: Graph, goal: Goal) -> Graph:
    """Quotients that are rounded, of products with constants, as such products."""
    if goal.policy.fixed_order or "round" not in graph.primitives:
        return graph

    def change(value: Value, args: tuple[Value, ...], uses: Uses) -> Value:
        changed = rebuild(value, args)
        if changed.prim == "round" and changed.args[0].prim == "div" and uses(changed.args[0]) == 1:
            x, c = changed.args[0].args
            scaled = _times(x, 1.0 / c, uses) if _is_factor(c) else None
            changed = changed if scaled is None else scaled.unary("round")
        return changed

    return map_counted(graph, change)


def _is_factor(c: Value) -> bool:
    """Whether this is a constant of numbers above zero that are neither very small nor very large."""
    if not c.is_numeric_const or c.data is None or not c.dtype.is_float:
        return False
    return bool(np.all((c.data > _LEAST) & (c.data < _MOST)))


def _times(value: Value, k: Value, uses: Uses) -> Value | None:
    """value * k where a factor of each term takes k in, from the same nodes; None if one has none."""
    if value.is_numeric_const:
        return map_("mul", value, k)
    scaled = _scaled(value, k, uses) if uses(value) == 1 else None
    if scaled is not None:
        inherit(scaled, value.origins)
    return scaled


def _scaled(value: Value, k: Value, uses: Uses) -> Value | None:
    match value.prim:
        case "mul":
            varying, factor = value.args if value.args[1].is_numeric_const else value.args[::-1]
            return map_("mul", varying, map_("mul", factor, k)) if _is_factor(factor) else None
        case "add" | "max" | "min":
            a, b = (_times(x, k, uses) for x in value.args)
            return None if a is None or b is None else map_(value.prim, a, b)
    return None
