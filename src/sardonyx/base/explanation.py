"""A report for a reader: kernels and decisions by layer of the model, what is not native, what can be done.

Decides words and order; must not know the compiler.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from sardonyx.base.layers import layers_of, short
from sardonyx.base.report import Decision, FallbackNote, KernelNote, Report

_NODES_SHOWN = 4
_NODES_WIDTH = 60
_VALUES_SHOWN = 12
_STAGES_SHOWN = 4
_SMALL_MODEL_BYTES = 1 << 20
_SIZES = {
    "weight_bytes": "weights",
    "arena_bytes": "memory between kernels",
    "code_bytes": "machine code",
}


def explanation(report: Report, *, refused: bool = True, most: int | None = None) -> str:
    """The report as text; `refused` adds why results are in memory rather than inside other kernels.

    With `most`, of longer lists of kernels that many lines are shown.
    """
    layers = layers_of(_nodes(report))
    kernels, decisions = _kernels_by_layer(report, layers), _decisions_by_layer(report, layers)
    lines = list[str]()
    for layer in dict.fromkeys((*kernels, *(decisions if refused else ()))):
        rows = kernels.get(layer, [])
        lines += ["", f"{layer or 'model'}: {count(len(rows), 'kernel')}", *_table(rows)]
        if refused and layer in decisions:
            lines += ["  kept in memory, because", *_reasons(decisions[layer], layer)]
    if most is not None and len(lines) > most:
        left = f"{len(lines) - most} more lines: --all shows them, --profile the longest kernels"
        lines[most:] = ["", left]
    lines.insert(0, _head(report))
    if report.fallbacks:
        lines += ["", "not native"]
        lines += [
            f"  {_operator(note, report):<20} {note.node}  {note.reason}".rstrip()
            for note in report.fallbacks
        ]
    lines += ["", *_costs(report)]
    return "\n".join([*lines, "what you can do", *(f"  - {hint}" for hint in _hints(report))])


def _head(report: Report) -> str:
    said = [count(len(report.kernels), "kernel")]
    said.append(f"{count(len(report.fallbacks), 'operator')} outside native code")
    arithmetic = _shared(report.kernels)
    return ", ".join([*said, *([f"products: {arithmetic}"] if arithmetic else [])])


def _shared(kernels: Iterable[KernelNote]) -> str:
    """The arithmetic of all kernels that have one, if it is the same."""
    found = {kernel.arithmetic for kernel in kernels if kernel.arithmetic}
    return found.pop() if len(found) == 1 else ""


def _nodes(report: Report) -> Iterator[str]:
    for kernel in report.kernels:
        yield from kernel.origins[:1]
    for decision in report.decisions:
        yield from _node(decision)


def _node(decision: Decision) -> list[str]:
    """The first node of a decision's subject, which is `operation type[sizes] of node, node`."""
    return [node for node in decision.subject.partition(" of ")[2].split(", ")[:1] if node]


def _kernels_by_layer(report: Report, layers: Mapping[str, str]) -> dict[str, list[tuple[str, str, str]]]:
    """Kind, nodes and plan; a kernel without nodes belongs to the layer before it."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    layer, shared = "", _shared(report.kernels)
    order = {node: number for number, node in enumerate(report.operators)}
    for kernel in report.kernels:
        origins = kernel.origins
        layer = layers[origins[0]] if origins else layer
        what, _, node = kernel.plan.partition(" of ")
        arithmetic = f"  [{kernel.arithmetic}]" if kernel.arithmetic and not shared else ""
        row = (
            kernel.kind,
            _computed(origins, layer, order),
            (what if node in origins else kernel.plan) + arithmetic,
        )
        found.setdefault(layer, []).append(row)
    return found


def _computed(origins: Sequence[str], layer: str, order: Mapping[str, int]) -> str:
    """The nodes of a kernel in the order of the model; the middle of many is left out."""
    names = [short(node, layer) for node in sorted(origins, key=lambda n: order.get(n, 0))]
    if len(names) > _NODES_SHOWN:
        names[_NODES_SHOWN - 1 : -1] = [f"{len(names) - _NODES_SHOWN} more"]
    return " + ".join(names)


def _table(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    width = max((len(nodes) for _, nodes, _ in rows if len(nodes) <= _NODES_WIDTH), default=0)
    for (kind, nodes, plan), equal in groupby(rows):
        times = len(list(equal))
        again = f"  {times} times" if times > 1 else ""
        yield f"  {kind:<10}  {nodes:<{width}}  {plan}".rstrip() + again


def _decisions_by_layer(report: Report, layers: Mapping[str, str]) -> dict[str, list[Decision]]:
    """Decisions against joining, in the order of the model."""
    found: dict[str, list[Decision]] = {}
    for decision in reversed(report.decisions):
        if decision.verdict != "fused":
            layer = next((layers[node] for node in _node(decision)), "")
            found.setdefault(layer, []).append(decision)
    return found


def _reasons(decisions: Iterable[Decision], layer: str) -> Iterator[str]:
    """The values by reason, each once."""
    found: dict[str, dict[str, None]] = {}
    for decision in decisions:
        what = decision.subject.partition(" of ")[0]
        name = next((short(node, layer) for node in _node(decision)), what)
        found.setdefault(decision.reason or decision.verdict, {})[name] = None
    for reason, named in found.items():
        names = list(named)
        if len(names) > _VALUES_SHOWN:
            names[_VALUES_SHOWN:] = [f"{len(names) - _VALUES_SHOWN} more"]
        yield f"    {reason}: {', '.join(names)}"


def _operator(note: FallbackNote, report: Report) -> str:
    """The ONNX operator of a node that does not run native; else the compiler's name for it."""
    return report.operators.get(note.node, note.op)


def _costs(report: Report) -> Iterator[str]:
    if report.timings:
        ranked = sorted(report.timings, key=lambda time: -time.elapsed_ms)[:_STAGES_SHOWN]
        stages = ", ".join(f"{time.stage} {time.elapsed_ms:.1f}" for time in ranked)
        what = "compiled" if report.counters.get("compiles", 1) else "made ready"
        yield f"{what} in {sum(time.elapsed_ms for time in report.timings):.1f} ms ({stages})"
    counters = dict(report.counters)
    said = [f"{name} {_bytes(size)}" for key, name in _SIZES.items() if (size := counters.pop(key, 0))]
    if "compiles" in counters:
        said.append(_origin_of_code(counters.pop("compiles"), report))
    if programs := counters.pop("variants", 0):
        said.append(f"{count(programs, 'program')}, one for each content of the inputs that decides ranks")
    if quick := counters.pop("quick_kernels", 0):
        said.append(f"{count(quick, 'kernel')} compiled quickly and not yet in full")
    said += [f"{name} {number}" for name, number in sorted(counters.items())]
    if saved := sum(decision.gain_bytes for decision in report.decisions if decision.verdict == "fused"):
        said.append(f"{_bytes(saved)} of memory traffic saved by joining")
    if said:
        yield ", ".join(said)


def _origin_of_code(compiled: int, report: Report) -> str:
    """How many kernels were compiled, and whether others were not."""
    if not compiled:
        return "all machine code found in the cache"
    others = len({kernel.name for kernel in report.kernels}) > compiled
    return f"{count(compiled, 'kernel')} compiled now" + (", the others found in the cache" if others else "")


def _hints(report: Report) -> Iterator[str]:
    """What a user can do about what the report shows."""
    operators = sorted({_operator(note, report) for note in report.fallbacks})
    if operators:
        names = ", ".join(operators)
        yield f"{names} in numpy: give it a formula with @sardonyx.op, or replace it before the export"
        yield "the option fallback=error refuses a model instead of running part of it in numpy"
    if "variants" in report.counters:
        yield "ranks depend on what is fed: these are the kernels for --input NAME=FILE, else random numbers"
    if report.fault:
        yield f"code that was compiled quickly stays in use: {report.fault}"
    yield "too slow: `sardonyx explain --profile MODEL` shows where the time goes"
    is_large = report.counters.get("weight_bytes", 0) > _SMALL_MODEL_BYTES
    operands = {kernel.arithmetic.partition(" ")[0] for kernel in report.kernels}
    if is_large and "f32" in operands and not operands & {"i8", "i16"}:
        yield "still too slow, or too large: `sardonyx quantize MODEL` makes it 8-bit and measures the error"
    yield "compare the speed with onnxruntime: `sardonyx bench MODEL`"
    yield "a wrong result: compare with SARDONYX_TARGET=reference, which runs the same stages in numpy"


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def count(number: int, noun: str) -> str:
    """A number of things in words: 1 kernel, 2 kernels."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
