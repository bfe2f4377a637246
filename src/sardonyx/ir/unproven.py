"""What must hold of run-time sizes so that no kernel leaves its memory, where it is not proven already."""

from __future__ import annotations

from collections.abc import Iterator

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.symbol import Symbol
from sardonyx.ir.fold import flat_dims
from sardonyx.ir.graph import Graph
from sardonyx.ir.obligation import Obligation, is_natural
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value


def unproven(graph: Graph) -> list[Obligation]:
    """What must be checked of the sizes of a graph, each once; what was only assumed is checked too."""
    found: dict[tuple[Dim, bool], Obligation] = {}
    with dims.assuming({}):
        values = (o for v in graph.order() for o in obligations(v))
        for obligation in (*_contents(graph), *graph.obligations, *values):
            found.setdefault((obligation.dim, obligation.exact), obligation)
    return list(found.values())


def _contents(graph: Graph) -> Iterator[Obligation]:
    """Sizes that are read from the content of tensors are at least as large as was assumed."""
    read = {name: size for name, size in graph.data_sizes.items() if size.result is None}
    least: dict[str, int] = {}
    known: dict[int, tuple[Dim, dict[str, int]]] = {}
    for value in graph.order() if read else ():
        for extent in flat_dims([value.shape, value.attrs, [shape for _, shape in value.results]]):
            for name, low in _lows(extent, known).items():
                least[name] = max(low, least.get(name, low))
    for name, size in read.items():
        if name in least:
            where = ", ".join(size.value.origins) or str(size.value.attrs.get("name", size.value.prim))
            message = f"{where}: element {size.index}, which gives a size, is below {least[name]}"
            yield Obligation(dims.symbol(name, None) - least[name], False, message)


def _lows(dim: Dim, known: dict[int, tuple[Dim, dict[str, int]]]) -> dict[str, int]:
    """The least values that symbols in `dim` were said to have, by name; `known` are those of objects."""
    if id(dim) in known:
        return known[id(dim)][1]
    found: dict[str, int] = {}
    known[id(dim)] = dim, found
    for monomial, _ in dim.terms if isinstance(dim, dims.Expr) else ():
        for atom in monomial:
            if isinstance(atom, Symbol):
                parts = [{} if atom.low is None else {atom.name: atom.low}]
            else:
                parts = [_lows(arg, known) for arg in atom.args]
            for name, low in (item for part in parts for item in part.items()):
                found[name] = max(low, found.get(name, low))
    return found


def obligations(value: Value) -> Iterator[Obligation]:
    """The conditions on sizes under which reading and writing this value is safe."""
    where = ", ".join(value.origins) or value.prim
    yield from PRIMS[value.prim].conditions(value, where)
    for number, size in enumerate(value.shape):
        if not is_natural(size):
            message = f"{where}: axis {number} of its result would have a negative size"
            yield Obligation(size, False, message)
