"""Graphs inside graphs: which become part of the native code around them, and which programs of their own.

Knows groups, calls and control steps; must not know ONNX or how a run is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.compiler.assemble import Assembler
from sardonyx.compiler.control import NativeLoop, add_if
from sardonyx.fuse.legal import on_host
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.group import Fusion
from sardonyx.ir.value import Value, make, placeholder
from sardonyx.runtime.control import Body, Choice, Repetition, Step, Traversal
from sardonyx.runtime.data import ProgramData

_NATIVE_CONTROL = {"if": "native_if", "loop": "native_loop", "scan": "native_scan"}

CONTROL = frozenset(_NATIVE_CONTROL)
"""Primitives whose graphs become programs of their own."""

NATIVE_CONTROL = frozenset(_NATIVE_CONTROL.values())
"""Primitives whose graphs become part of the native code around them."""


def native_control(graph: Graph, native: frozenset[str], simplify: Callable[[Graph], Graph]) -> Graph:
    """A graph in which all control flow that native code can run has its bodies simplified.

    `if`, `loop` and `scan` become `native_if`, `native_loop` and `native_scan`.
    """
    if not native & NATIVE_CONTROL or not any(v.prim in CONTROL for v in graph.order()):
        return graph
    sources = {size.value.id for size in graph.data_sizes.values()}

    def change(value: Value, args: tuple[Value, ...]) -> Value:
        if value.prim not in CONTROL or value.id in sources or not _is_decidable(value):
            return rebuild(value, args)
        bodies = {k: simplify(body) for k, body in value.attrs.items() if isinstance(body, Graph)}
        check = _branches_fit if value.prim == "if" else _body_fits
        if not (all(_is_native(body, native) for body in bodies.values()) and check(value, **bodies)):
            return rebuild(value, args)
        attrs = {**value.attrs, **bodies}
        return make(_NATIVE_CONTROL[value.prim], args, attrs, value.dtype, value.shape, value.results)

    return graph.map(change)


def _is_decidable(value: Value) -> bool:
    """Whether conditions and counts are one element, and the sizes of bodies are those around them."""
    at = value.attrs
    named = zip(at["names"], at["sizes"], strict=True)
    leading = 1 if value.prim == "if" else at.get("limited", 0) + at.get("conditional", 0)
    counts = value.args[: at.get("limited", 0)]
    return (
        all(dims.symbol_name(size) == name for name, size in named)
        and all(arg.size == 1 for arg in value.args[:leading])
        and all(arg.dtype is dt.I64 for arg in counts)
    )


def _is_native(body: Graph, native: frozenset[str]) -> bool:
    """Whether a body is native code all through."""
    order = body.order()
    tensors = all(v.dtype.is_native for v in body.inputs) and all(
        v.dtype.is_native or v.results for v in order
    )
    return tensors and not body.data_sizes and not any(on_host(v, native) for v in order)


def _branches_fit(value: Value, then: Graph, otherwise: Graph) -> bool:
    """Whether branches give the sizes that are known outside."""
    choice = value.attrs["choice"]
    return all(
        a.dtype is b.dtype is dtype
        and all(
            m == n == size or (choice is not None and size == dims.where(choice, m, n))
            for m, n, size in zip(a.shape, b.shape, shape, strict=True)
        )
        for (_, a), (_, b), (dtype, shape) in zip(then.outputs, otherwise.outputs, value.results, strict=True)
    )


def _body_fits(value: Value, body: Graph) -> bool:
    """Whether carried values keep their sizes and rows have those that are known outside."""
    at = value.attrs
    scan, count = value.prim == "scan", at["carried"]
    outputs = [v for _, v in body.outputs[0 if scan else 1 :]]
    formals = body.inputs[0 if scan else 2 :]
    first = 0 if scan else at["limited"] + at["conditional"]
    read = value.args[first + count :]
    slices = read[: at["scanned"]] if scan else ()
    carried = zip(value.args[first : first + count], formals, outputs, value.results, strict=False)
    rows = zip(outputs[count:], value.results[count:], strict=True)
    return (
        all(
            a.dtype is f.dtype is o.dtype is dtype and a.shape == o.shape == f.shape == shape
            for a, f, o, (dtype, shape) in carried
        )
        and all(o.dtype is dtype and o.shape == shape[1:] for o, (dtype, shape) in rows)
        and all(f.shape == x.shape[1:] for f, x in zip(formals[count:], slices, strict=False))
        and all(x.shape[0] == slices[0].shape[0] for x in slices)
        and (scan or body.outputs[0][1].size == 1)
    )


def add_control(
    assembler: Assembler, fusion: Fusion, value: Value, native: frozenset[str], add: Callable[[Fusion], None]
) -> None:
    """Append native control flow; `add` appends the groups of a body."""
    if value.prim == "native_if":
        add_if(assembler, fusion, value, native, add)
    else:
        NativeLoop(assembler, fusion, value, native).add(add)


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
    sizes = [placeholder("size", dt.I8, (0, dims.symbol(name))) for name in outer]
    whole = replace(graph, inputs=(*graph.inputs, *sizes), outputs=computed)
    return Body(compile_body(whole), passed, tuple(outer.values()))
