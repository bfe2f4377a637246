"""Takes the last operations of a graph off it, if they run on the host: native code ends where they begin.

Decides which operations these are; must not know how they run (runtime/closing.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sardonyx.base.dataclass import replace
from sardonyx.base.dtype import OBJECT
from sardonyx.base.report import Report
from sardonyx.fuse.legal import on_host
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.value import Value
from sardonyx.runtime.data import Closing, ClosingStep, Source
from sardonyx.runtime.host import HostOperation

_MOST_CONSTANTS = 1 << 16
"""Elements of a constant that a closing step reads: it is kept with the plan, which every start reads."""


def close(graph: Graph, native: frozenset[str], report: Report) -> tuple[Graph, Closing | None]:
    """What is left to compile, and what is to be made of its outputs; None if all of the graph is."""
    last = _last(graph, native)
    outputs = [(name, value) for name, value in graph.outputs if value.id not in last]
    made = {value.id: number for number, (_, value) in reversed([*enumerate(outputs)])}
    inputs = {value.id: number for number, value in enumerate(graph.inputs)}
    for value in last.values():
        for arg in value.args:
            if arg.id not in last and arg.id not in inputs and arg.data is None and arg.id not in made:
                made[arg.id] = len(outputs)
                outputs.append((f"closing {len(outputs)}", arg))
    if not last:
        return graph, None
    steps = {id_: number for number, id_ in enumerate(last)}
    constants = {a.id: a for value in last.values() for a in value.args if a.data is not None}
    numbers = {id_: number for number, id_ in enumerate(constants)}

    def source(value: Value) -> Source:
        if value.id in steps:
            return Source("step", steps[value.id])
        if value.id in numbers:
            return Source("constant", numbers[value.id])
        return Source("feed", inputs[value.id]) if value.id in inputs else Source("made", made[value.id])

    closing = Closing(
        tuple(
            ClosingStep(_operation(v), tuple(map(source, v.args)), ", ".join(v.origins) or v.prim)
            for v in last.values()
        ),
        tuple(value.data for value in constants.values() if value.data is not None),
        _results(graph, last, steps, outputs),
    )
    for value in last.values():
        report.note_host(value.prim, value.origins)
    return replace(graph, outputs=tuple(outputs)), closing


def _operation(value: Value) -> HostOperation:
    """The operation of a value with one result; what an object holds is not of interest."""
    return replace(HostOperation.of(value), results=())


def _results(
    graph: Graph, last: Mapping[int, Value], steps: Mapping[int, int], outputs: Sequence[tuple[str, Value]]
) -> tuple[Source, ...]:
    """Where each output of the whole graph comes from; those of native code are the first of `outputs`."""
    left = iter(range(len(outputs)))
    return tuple(
        Source("step", steps[value.id]) if value.id in last else Source("made", next(left))
        for _, value in graph.outputs
    )


def _last(graph: Graph, native: frozenset[str]) -> dict[int, Value]:
    """The operations by id, in their order: on the host, all they read known behind native code, read once.

    Others, and the sizes that native code reads from tensors, depend on none of them.
    """
    order = graph.order()
    uses = Counter(v.id for _, v in graph.outputs)
    uses.update(a.id for value in order for a in value.args)
    fixed = {size.value.id for size in graph.data_sizes.values()}
    hosted = {value.id for value in order if on_host(value, native)}
    able = {v.id: v for v in order if v.id in hosted and uses[v.id] == 1 and _is_simple(v, graph)}
    for id_ in fixed:
        able.pop(id_, None)
    count = -1
    while len(able) != count:
        count = len(able)
        for value in order:
            if value.id in able and not all(a.id in able or _is_known(a, hosted, graph) for a in value.args):
                del able[value.id]
        for value in order:
            for arg in value.args if value.id not in able else ():
                able.pop(arg.id, None)
    return able


def _is_simple(value: Value, graph: Graph) -> bool:
    """Whether it gives one result, a tensor or an object, and its sizes do not depend on data."""
    is_one = value.kind != "control" and (not value.results or value.dtype is OBJECT)
    return is_one and not symbols_of(value) & graph.data_sizes.keys()


def _is_known(value: Value, hosted: set[int], graph: Graph) -> bool:
    """Whether native code computes it or it is there before: a feed, a constant of some elements."""
    if value.data is not None:
        return value.data.size <= _MOST_CONSTANTS and (value.is_numeric_const or value.dtype.kind == "O")
    if value.prim == "input":
        return True
    from_host = (value.args[0] if value.prim == "result" else value).id in hosted
    return not from_host and not symbols_of(value) & graph.data_sizes.keys()
