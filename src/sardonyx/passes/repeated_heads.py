"""Products whose second matrices are repeated, as heads of keys and values are that several queries share.

Queries that share a head become rows of one product: nothing is repeated in memory, and a matrix is read once
for all of them. Must not know what becomes of the product.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, make


def repeated_heads(graph: Graph, goal: Goal) -> Graph:
    """Products with repeated matrices as products with each of these once."""
    if not {"dot", "broadcast"} <= set(graph.primitives):
        return graph
    return graph.map(_rewrite)


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A value whose matrices stand `times` times each, one behind the other, and that without repetition."""

    once: Value
    times: int


def _rewrite(value: Value, args: Sequence[Value]) -> Value:
    value = rebuild(value, tuple(args))
    if value.prim != "dot" or value.rank < 3:
        return value
    x, w = value.args
    found = _repeated(w)
    if found is None or x.shape[:-2] != value.shape[:-2] or w.shape[:-2] != value.shape[:-2]:
        return value
    *_, groups, _, _ = found.once.shape
    *lead, _, rows, terms = x.shape
    together = x.reshape((*lead, groups, rows * found.times, terms))
    product = together.dot(found.once, value.dtype, exact=value.attrs.get("exact", False))
    inherit(product, value.origins)
    return product.reshape(value.shape)


def _repeated(value: Value) -> _Repeated | None:
    """What a value repeats: seen through turned matrices and factors."""
    if value.prim == "reshape":
        return _unfolded(value)
    if value.prim == "transpose":
        perm = value.attrs["perm"]
        keeps = tuple(perm[:-2]) == tuple(range(value.rank - 2))
        found = _repeated(value.args[0]) if keeps else None
        return found and _Repeated(found.once.transpose(*perm), found.times)
    if value.prim in ("mul", "div") and value.args[1].is_numeric_const and value.args[1].size == 1:
        found = _repeated(value.args[0])
        if found is None or value.shape != value.args[0].shape:
            return None
        scaled = make(value.prim, (found.once, value.args[1]), value.attrs, value.dtype, found.once.shape)
        return _Repeated(scaled, found.times)
    return None


def _unfolded(value: Value) -> _Repeated | None:
    """[..., G, 1, m, n] that is broadcast to [..., G, R, m, n] and seen as [..., G * R, m, n]."""
    spread = value.args[0]
    if spread.prim != "broadcast" or value.rank < 3 or spread.rank != value.rank + 1:
        return None
    once, times = spread.args[0], spread.shape[-3]
    if once.rank != spread.rank or not isinstance(times, int) or times < 2:
        return None
    *lead, groups, _, rows, columns = spread.shape
    alone = (*lead, groups, 1, rows, columns)
    if tuple(once.shape) != alone or tuple(value.shape) != (*lead, groups * times, rows, columns):
        return None
    return _Repeated(once.reshape((*lead, groups, rows, columns)), times)
