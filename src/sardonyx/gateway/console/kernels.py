"""Times the kernels of a session on random numbers, and sorts them; the page and the viewer show them.

Decides how often a model runs for that and on what. Must not know how kernels are timed.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.ort.feeds import FeedSpec, prepare
from sardonyx.protocol.errors import Code, ServeError, invalid

_RUN_S, _LEAST_RUNS, _MOST_RUNS = 1.0, 3, 200
_MOST_SHOWN = 24
_MOST_ELEMENTS = 64 << 20
_NODES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Kernel:
    """One call of a program: medians over the runs; `share` of all that is spent."""

    name: str
    nodes: tuple[str, ...]
    operators: str
    plan: str
    busy_s: float
    wait_s: float
    share: float = 0.0


def measured(session: Any, sizes: dict[str, int]) -> dict[str, Any]:
    """The kernels of a session, slowest first, timed for about a second; blocks."""
    program = session._program
    feeds = [prepare(_random(info, sizes), FeedSpec.of(info)) for info in program.inputs]
    runs: list[Any] = []
    end = time.monotonic() + _RUN_S
    while len(runs) < _LEAST_RUNS or (time.monotonic() < end and len(runs) < _MOST_RUNS):
        runs.append(program.profile(feeds)[1])
    report = session.report
    plans = {(note.name, note.origins): f"{note.kind} {note.plan}".strip() for note in report.kernels}
    kernels = [_kernel(calls, plans, report.operators) for calls in zip(*runs, strict=False)]
    busy = sum(k.busy_s for k in kernels) or 1.0
    waiting = sum(k.wait_s for k in kernels)
    ranked = sorted((k for k in kernels if k.busy_s > 0), key=lambda k: -k.busy_s)
    return {
        "kernels": [_shared(kernel, busy) for kernel in ranked[:_MOST_SHOWN]],
        "others": max(0, len(ranked) - _MOST_SHOWN),
        "total_s": busy + waiting,
        "runs": len(runs),
        "groups": _groups(ranked, busy),
        "waiting_s": waiting,
    }


def _kernel(calls: Any, plans: dict[Any, str], operators: Any) -> Kernel:
    first = calls[0]
    known = dict.fromkeys(operators.get(origin, "") for origin in reversed(first.origins))
    plan = plans.get((first.name, first.origins), first.name)
    return Kernel(
        first.name,
        tuple(first.origins),
        " + ".join(name for name in known if name) or " ".join(plan.split()[1:2]) or plan,
        plan,
        statistics.median(call.busy_ns for call in calls) * 1e-9,
        statistics.median(call.wait_ns for call in calls) * 1e-9,
    )


def _shared(kernel: Kernel, total: float) -> dict[str, Any]:
    more = f" and {len(kernel.nodes) - _NODES_SHOWN} more" if len(kernel.nodes) > _NODES_SHOWN else ""
    return {
        "operators": kernel.operators,
        "nodes": ", ".join(kernel.nodes[:_NODES_SHOWN]) + more,
        "plan": kernel.plan,
        "busy_s": kernel.busy_s,
        "wait_s": kernel.wait_s,
        "share": kernel.busy_s / total,
    }


def _groups(kernels: list[Kernel], total: float) -> list[dict[str, Any]]:
    """Shares by the first operator, the four greatest and all others."""
    sums: dict[str, float] = {}
    for kernel in kernels:
        key = kernel.operators.split(" + ")[0]
        sums[key] = sums.get(key, 0.0) + kernel.busy_s / total
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    shown = [{"name": name, "share": share} for name, share in ranked[:5]]
    rest = sum(share for _, share in ranked[5:])
    return [*shown, {"name": "others", "share": rest}] if rest > 0.0005 else shown


def free_sizes(session: Any) -> list[dict[str, Any]]:
    """The sizes that a request decides, by name, with a usual one."""
    found: dict[str, dict[str, Any]] = {}
    for argument in session.get_inputs():
        shape = argument._info.shape or ()
        for axis, size in enumerate(shape):
            if not isinstance(size, int):
                key = size or f"{argument.name}.{axis}"
                found.setdefault(key, {"name": key, "usual": _usual(axis, len(shape))})
    return list(found.values())


def _usual(axis: int, rank: int) -> int:
    return 1 if axis == 0 else 224 if rank == 4 and axis >= 2 else 16


def _random(info: Any, sizes: dict[str, int]) -> Any:
    shape = [
        size
        if isinstance(size, int)
        else sizes.get(size or f"{info.name}.{axis}", _usual(axis, len(info.shape)))
        for axis, size in enumerate(info.shape or ())
    ]
    if math.prod(shape) > _MOST_ELEMENTS:
        raise invalid(
            f"the input {info.name!r} would have {math.prod(shape):,} elements; choose smaller sizes"
        )
    spec, random = FeedSpec.of(info), np.random.default_rng(0)
    if spec.kind != "tensor" or spec.element is None:
        raise ServeError(
            Code.UNSUPPORTED, f"the input {info.name!r} is a {info.type}; only tensors can be drawn"
        )
    if spec.element.kind == "O":
        return np.full(shape, "text", object)
    if spec.element.kind in "iub":
        return random.integers(0, 2, shape).astype(spec.element.numpy)
    return random.standard_normal(shape).astype(spec.element.numpy)
