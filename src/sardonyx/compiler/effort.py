"""How much of a run the kernels of each group take: what takes little is compiled with less effort.

Rough on purpose: sizes that are not known are guessed. Must not know code generators or machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sardonyx.base import dim as dims
from sardonyx.base.dim import ASSUMED, Dim
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value

_STORED, _REDUCED, _TURNED, _PICKED = 4.0, 4.0, 4.0, 16.0
"""Instructions for an element that is stored, reduced, transposed, picked by a position."""
_MULTIPLIED, _MULTIPLIED_BYTES = 0.5, 0.125
"""Instructions for a product that is added to a sum, of floats and of bytes."""
_WRITTEN = ("loops", "padding", "contract")
"""Kinds of groups for which kernels are written; those of contractions compute what follows the products."""


def shares(fusion: Fusion) -> Mapping[Group, float]:
    """The part of a run that what is written for each group takes."""
    values: Mapping[int, Value] = {value.id: value for value in fusion.graph.order()}
    total = sum(_instructions(group, values) for group in fusion.groups) or 1.0
    return {
        group: _instructions(group, values, group.anchor) / total
        for group in fusion.groups
        if group.kind in _WRITTEN
    }


def _instructions(group: Group, values: Mapping[int, Value], without: Value | None = None) -> float:
    """Those for single elements in a run of a group, all but one value of it."""
    if group.parts:
        return sum(_instructions(part, values) for part in group.parts)
    inside = (values[n] for n in group.inlined if n in values)
    computed = (value for value in (group.root, *inside) if value is not without)
    return _STORED * _count(group.root.size) + sum(map(_cost, computed))


def _cost(value: Value) -> float:
    match value.kind:
        case "map":
            each = PRIMS[value.prim].instructions(value.dtype)
        case "reduce":
            return _REDUCED * _count(value.args[0].size)
        case "contract":
            return _products(value)
        case "view":
            each = _TURNED if value.prim == "transpose" else 0.0
        case _:
            each = _PICKED
    return each * _count(value.size)


def _products(value: Value) -> float:
    left, right = value.args[:2]
    inner = left.shape[-1:] if value.prim.startswith("dot") else right.shape[1:]
    rows = left if value.prim == "conv_transpose" else value
    each = _MULTIPLIED_BYTES if left.dtype.size_bytes == 1 else _MULTIPLIED
    return each * _count(rows.size) * _count(dims.product(inner))


@lru_cache(maxsize=1 << 12)
def _count(size: Dim) -> int:
    """A size under assumed free ones; as much if it contradicts them, as broadcast sizes may."""
    try:
        return max(1, dims.evaluate(size, dict.fromkeys(dims.symbols(size), ASSUMED)))
    except (ValueError, ZeroDivisionError):
        return ASSUMED
