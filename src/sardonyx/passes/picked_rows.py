"""Rows that data picks, turned and joined, are joined first: each is written as it was read.

What is joined of turned parts would be written across, one element of a row after the other. Turning the
whole is left to what reads it. Must not know who picks rows, nor what for.
"""

from __future__ import annotations

from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, concat


def joined_rows(graph: Graph, goal: Goal) -> Graph:
    """Turned rows of data-dependent places, joined before they are turned."""
    if not graph.primitives.issuperset(("concat", "transpose", "gather_nd")):
        return graph
    return graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "concat":
        return value
    turned = [_turned(part) for part in value.args]
    rows, perms = [t[0] for t in turned if t], {t[1] for t in turned if t}
    if len(rows) != len(turned) or len(perms) != 1:
        return value
    (perm,) = perms
    return concat(rows, perm[value.attrs["axis"]]).transpose(*perm)


def _turned(part: Value) -> tuple[Value, tuple[int, ...]] | None:
    """Rows and the permutation that makes the part of them, with axes of size 1 where it has some."""
    inner = part.args[0] if part.prim == "reshape" else part
    if inner.prim != "transpose" or not _is_picked(inner.args[0]):
        return None
    rows, perm = inner.args[0], inner.attrs["perm"]
    whole = [axis for axis in range(inner.rank) if inner.shape[axis] != 1]
    kept = [perm[axis] for axis in whole]
    if [inner.shape[axis] for axis in whole] != [n for n in part.shape if n != 1]:
        return None
    order, source = sorted(kept), iter(kept)
    found = [rows.rank + number if n == 1 else next(source) for number, n in enumerate(part.shape)]
    for axis in reversed(range(part.rank)):
        if part.shape[axis] == 1:
            follows = axis + 1 < part.rank
            order.insert(order.index(found[axis + 1]) if follows else len(order), found[axis])
    rows = rows.reshape([rows.shape[axis] if axis < rows.rank else 1 for axis in order])
    return rows, tuple(order.index(axis) for axis in found)


def _is_picked(value: Value) -> bool:
    """Whether it is made of whole rows, each at a place that is data."""
    while value.prim == "reshape" or value.kind == "map":
        value = value.args[0]
    return value.prim == "gather_nd"
