"""Graphs inside graphs: which `if` native code decides by a jump, and how the calls of its branches are laid out.

Knows groups and calls; must not know ONNX or how a run is done.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from sardonyx.assemble import Assembler
from sardonyx.base import dim as dims
from sardonyx.fuse.legal import on_host
from sardonyx.fuse.partition import partition
from sardonyx.fuse.storage import Surroundings
from sardonyx.ir.bounds import obligations
from sardonyx.ir.graph import Graph, rebuild, symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value, make
from sardonyx.kernels.families import NATIVE

EXECUTABLE = NATIVE | {"branch"}
"""Primitives of kinds opaque and control that run in native code."""


def native_branches(graph: Graph, simplify: Callable[[Graph], Graph]) -> Graph:
    """A graph in which every `if` that native code can decide is a `branch` over simplified graphs."""
    if not any(v.prim == "if" for v in graph.order()):
        return graph
    sources = {unknown.value.id for unknown in graph.unknowns.values()}

    def change(value: Value, args: tuple[Value, ...]) -> Value:
        if value.prim != "if" or value.id in sources or not _is_decidable(value):
            return rebuild(value, args)
        then, otherwise = (simplify(value.attrs[side]) for side in ("then", "otherwise"))
        if not all(_fits(body, value) for body in (then, otherwise)):
            return rebuild(value, args)
        attrs = {**value.attrs, "then": then, "otherwise": otherwise}
        return make("branch", args, attrs, value.dtype, value.shape, value.results)

    return graph.map(change)


def _is_decidable(value: Value) -> bool:
    """Whether the condition is one element, and the sizes of the branches are those around them."""
    named = zip(value.attrs["names"], value.attrs["sizes"], strict=True)
    return value.args[0].size == 1 and all(dims.symbol_name(size) == name for name, size in named)


def _fits(body: Graph, value: Value) -> bool:
    """Whether a branch is native code all through and gives the sizes that are known outside."""
    order = body.order()
    native = all(v.dtype.is_native or v.results for v in (*order, *body.inputs))
    if not native or body.unknowns or any(on_host(v, EXECUTABLE) for v in order):
        return False
    return all(
        v.dtype is dtype and all(dims.equal(m, n) is True for m, n in zip(v.shape, shape, strict=True))
        for (_, v), (dtype, shape) in zip(body.outputs, value.results, strict=True)
    )


def add_branch(
    assembler: Assembler, fusion: Fusion, value: Value, add: Callable[[Fusion], None]
) -> None:
    """Append both branches and the jumps around them; `add` appends the groups of one."""
    results = {v.attrs["index"]: fusion.places[v.id] for v in fusion.graph.order() if v.args[:1] == (value,)}
    args = [fusion.places[arg.id] for arg in value.args]
    split = 1 + value.attrs["split"]
    names = symbols_of(value).union(*(symbols_of(arg) for arg in value.args))
    assembler.begin(names, [place.storage for place in (*args, *results.values())])
    before = assembler.open.work
    skip = assembler.jump(value.origins, args[0])
    _add_body(assembler, value.attrs["then"], args[1:split], results, add)
    over = assembler.jump(value.origins)
    assembler.land(skip)
    work, assembler.open.work = assembler.open.work, before
    _add_body(assembler, value.attrs["otherwise"], args[split:], results, add)
    assembler.open.work = dims.maximum(work, assembler.open.work)
    assembler.land(over)
    assembler.join(over)


def _add_body(
    assembler: Assembler,
    body: Graph,
    args: list[Place],
    results: dict[int, Place],
    add: Callable[[Fusion], None],
) -> None:
    outputs = tuple(body.outputs[number] for number in results)
    used = Graph(body.inputs, outputs)
    fusion = partition(used, EXECUTABLE, Surroundings(tuple(args), tuple(results.values())))
    order = used.order()
    checks = tuple(dict.fromkeys(o for v in order for o in obligations(v)))
    fixed = not checks and not any(symbols_of(v) for v in order)
    with nullcontext() if fixed else assembler.guarded(checks):
        add(fusion)
