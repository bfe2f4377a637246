"""Graphs inside graphs: which `if` becomes a native jump, and which bodies become programs of their own.

Knows groups, calls and control steps; must not know ONNX or how a run is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from sardonyx.assemble import Assembler
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.fuse.legal import on_host
from sardonyx.fuse.partition import partition
from sardonyx.fuse.storage import Surroundings
from sardonyx.ir.bounds import obligations
from sardonyx.ir.graph import Graph, rebuild, symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value, make, placeholder
from sardonyx.kernels.families import NATIVE
from sardonyx.runtime.control import Body, Choice, Repetition, Step, Traversal
from sardonyx.runtime.data import ProgramData

EXECUTABLE = NATIVE | {"branch"}
"""Primitives of kinds opaque and control that run in native code."""

CONTROL = frozenset({"if", "loop", "scan"})
"""Primitives whose graphs become programs of their own."""

_MOST_SIZES = 30
"""Sizes given by the extents of one array."""


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


def add_branch(assembler: Assembler, fusion: Fusion, value: Value, add: Callable[[Fusion], None]) -> None:
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


def control_step(value: Value, compile_body: Callable[[Graph], ProgramData]) -> Step:
    """The step that runs an `if`, `loop` or `scan` from Python."""
    at, name = value.attrs, ", ".join(value.origins) or value.prim

    def body(graph: Graph) -> Body:
        return _body(graph, dict(zip(at["names"], at["sizes"], strict=True)), compile_body)

    if value.prim == "if":
        return Choice(body(at["then"]), body(at["otherwise"]), at["split"], name)
    stacked = tuple((dtype.numpy, tuple(shape)) for dtype, shape in at["stacked"])
    if value.prim == "loop":
        return Repetition(body(at["body"]), at["limited"], at["conditional"], at["carried"], stacked, name)
    return Traversal(body(at["body"]), at["carried"], at["scanned"], stacked, name)


def _body(graph: Graph, outer: Mapping[str, Dim], compile_body: Callable[[Graph], ProgramData]) -> Body:
    position = {v.id: number for number, v in enumerate(graph.inputs)}
    passed = tuple(position.get(v.id, -1) for _, v in graph.outputs)
    computed = tuple(output for output in graph.outputs if output[1].id not in position)
    if not computed:
        return Body(None, passed, ())
    names = list(outer)
    groups = [names[start : start + _MOST_SIZES] for start in range(0, len(names), _MOST_SIZES)]
    inputs = [placeholder("sizes", dt.I8, (0, *map(dims.symbol, group))) for group in groups]
    whole = Graph((*graph.inputs, *inputs), computed, graph.unknowns)
    return Body(compile_body(whole), passed, tuple(tuple(outer[n] for n in group) for group in groups))


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
