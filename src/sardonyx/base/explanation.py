"""A report for a reader: kernels and decisions by layer of the model, what is not native, what can be done.

Decides words and order; must not know the compiler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from sardonyx.base.report import Decision, FallbackNote, KernelNote, Report

_NODES_SHOWN = 4
_NUMBERED = re.compile(r".*\d$")


def explanation(report: Report, *, refused: bool = True) -> str:
    """The report as text; `refused` adds what was considered and not done."""
    kernels, decisions = _by_layer(report)
    lines = [f"{len(report.kernels)} kernels, {len(report.fallbacks)} operators outside native code"]
    for layer in dict.fromkeys((*kernels, *decisions)):
        rows = kernels.get(layer, [])
        lines += ["", f"{layer or 'model'}: {_count(len(rows), 'kernel')}", *rows]
        about = decisions.get(layer, []) if refused else []
        if about:
            lines += ["  decisions", *map(_decision, about)]
    if report.fallbacks:
        lines += ["", "not native"]
        lines += [f"  {note.op:<20} {note.node}  {note.reason}".rstrip() for note in report.fallbacks]
    lines += ["", *_costs(report)]
    return "\n".join([*lines, "what you can do", *(f"  - {hint}" for hint in _hints(report.fallbacks))])


def layer_of(node: str) -> str:
    """The part of the model that a node name stands in: up to the first numbered part, else its first one.

    /encoder/layer.0/attention/MatMul -> encoder/layer.0; a name without parts -> "".
    """
    *parts, _ = node.strip("/").split("/")
    end = next((n for n, part in enumerate(parts, 1) if _NUMBERED.match(part)), 1)
    return "/".join(parts[:end])


def _by_layer(report: Report) -> tuple[dict[str, list[str]], dict[str, list[Decision]]]:
    """Lines about kernels, and decisions; a kernel without nodes belongs to the layer before it."""
    kernels: dict[str, list[str]] = {}
    layer = ""
    for kernel, following in zip(report.kernels, _first_nodes_after(report.kernels), strict=True):
        layer = layer_of(kernel.origins[0]) if kernel.origins else layer
        kernels.setdefault(layer, []).append(_kernel(kernel, following))
    decisions: dict[str, list[Decision]] = {}
    for decision in report.decisions:
        node = decision.subject.partition(" of ")[2]
        decisions.setdefault(layer_of(node) if node else "", []).append(decision)
    return kernels, decisions


def _first_nodes_after(kernels: Sequence[KernelNote]) -> list[str]:
    """For each kernel a node of the next one that has any."""
    found, node = list[str](), ""
    for kernel in reversed(kernels):
        found.append(node)
        node = kernel.origins[0] if kernel.origins else node
    return found[::-1]


def _kernel(kernel: KernelNote, following: str) -> str:
    more = len(kernel.origins) - _NODES_SHOWN
    nodes = " + ".join(kernel.origins[:_NODES_SHOWN]) + (f" + {more} more" if more > 0 else "")
    if not nodes and following:
        nodes = f"(before {following})"
    cells = [
        f"  {kernel.kind:<10}",
        nodes,
        kernel.plan,
        f"[{kernel.arithmetic}]" if kernel.arithmetic else "",
    ]
    return "  ".join(cell for cell in cells if cell).rstrip()


def _decision(decision: Decision) -> str:
    gain = f"  ({decision.gain_bytes} bytes of traffic saved)" if decision.gain_bytes > 0 else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"    {decision.subject}: {decision.verdict}{reason}{gain}"


def _costs(report: Report) -> Iterator[str]:
    if report.timings:
        total = sum(time.elapsed_ms for time in report.timings)
        stages = ", ".join(f"{time.stage} {time.elapsed_ms:.1f}" for time in report.timings)
        yield f"compile time {total:.1f} ms ({stages})"
    if report.counters:
        yield "counters  " + ", ".join(f"{name} {value}" for name, value in sorted(report.counters.items()))


def _hints(fallbacks: Iterable[FallbackNote]) -> Iterator[str]:
    """What a user can do about what the report shows."""
    operators = sorted({note.op for note in fallbacks})
    if operators:
        names = ", ".join(operators)
        yield f"{names} in numpy: give it a formula with @sardonyx.op, or replace it before the export"
        yield "the option fallback=error refuses a model instead of running part of it in numpy"
    yield "`sardonyx bench MODEL` measures it beside onnxruntime"
    yield "a wrong result: compare with SARDONYX_TARGET=reference, which runs the same stages in numpy"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
