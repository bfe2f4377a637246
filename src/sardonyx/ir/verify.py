"""Checks the invariants of a graph; run between stages when tracing asks for it."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.errors import CompileError
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.prims import PRIMS


def verify(graph: Graph) -> None:
    """Raise CompileError naming the first value that breaks an invariant."""
    defined = {v.id for v in graph.inputs}
    bound = {name for v in graph.inputs for name in symbols_of(v)} | set(graph.data_sizes)
    for value in graph.order():
        if value.prim not in PRIMS:
            raise CompileError(f"{value!r}: unknown primitive")
        if value.prim == "input" and value.id not in defined:
            raise CompileError(f"{value!r}: an input that is not one of the graph's")
        if free := symbols_of(value) - bound:
            raise CompileError(f"{value!r}: nothing gives the size {', '.join(sorted(free))}")
        if value.data is not None and any(
            dims.equal(m, n) is False for m, n in zip(value.data.shape, value.shape, strict=True)
        ):
            raise CompileError(f"{value!r}: its data has shape {value.data.shape}")
        if value.kind == "map":
            for arg in value.args:
                if arg.rank != value.rank:
                    raise CompileError(f"{value!r}: operand {arg!r} has another rank")
