"""Asks what makes the calls of a primitive for them, and checks what holds of any call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.kernels.call import Address, NativeCall
from sardonyx.kernels.families import NATIVE
from tests.unit.kernels.compiled import Array, Make, graph_of

Family = Callable[..., Any]


def calls_of(
    family: Family,
    make: Make,
    arrays: Sequence[Array],
    constant: Sequence[int] = (),
    sizes: Sequence[Any] = (),
) -> list[NativeCall]:
    """The calls of the one opaque group in the graph that `make` makes; see `graph_of`."""
    graph: Graph = graph_of(make, arrays, constant, sizes)
    fusion = partition(graph, NATIVE)
    (group,) = (g for g in fusion.groups if g.kind == "opaque")
    found = []
    for call, modules in family(group, fusion.places, Goal(targets.detect())):
        assert f"@{call.symbol}(" in "".join(text() for text in modules.values()), "its function is written"
        told = {id(s) for s in (*call.reads, *call.writes)}
        addressed = {id(word.storage) for word in call.words if isinstance(word, Address)}
        assert addressed == told, "what is addressed is what the order of calls knows of"
        assert call.work != 0, "a call without work would be left to one thread"
        found.append(call)
    written = {id(s) for call in found for s in call.writes}
    results = [p for p in (group.place, *group.results) if p is not None]
    assert all(id(p.storage) in written for p in results)
    return found
