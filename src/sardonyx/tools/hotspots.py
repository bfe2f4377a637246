"""Where the time of a run goes: the calls of a program, timed and named by the ONNX nodes they compute.

Must not know how a call is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sardonyx.ort.feeds import FeedSpec, prepare
from sardonyx.ort.session import InferenceSession
from sardonyx.runtime.runnable import CallTime
from sardonyx.tools.console import table, time_text

_LEAST_RUNS = 3
_NODES_SHOWN = 4


class Hotspot(NamedTuple):
    """One call: medians over the runs; `plan` says how it is computed."""

    nodes: tuple[str, ...]
    kernel: str
    plan: str
    busy_ns: float
    wait_ns: float


def hotspots(session: InferenceSession, feeds: Mapping[str, Any], seconds: float) -> list[Hotspot]:
    """The calls of a run in order, timed again and again for that many seconds."""
    program = session._program
    values = [prepare(feeds[info.name], FeedSpec.of(info)) for info in program.inputs]
    end = time.monotonic() + seconds
    runs: list[list[CallTime]] = []
    while time.monotonic() < end or len(runs) < _LEAST_RUNS:
        runs.append(program.profile(values)[1])
    plans = {(note.name, note.origins): f"{note.kind} {note.plan}" for note in session.report.kernels}
    return [
        Hotspot(
            calls[0].origins,
            calls[0].name,
            plans.get((calls[0].name, calls[0].origins), calls[0].name),
            statistics.median(call.busy_ns for call in calls),
            statistics.median(call.wait_ns for call in calls),
        )
        for calls in zip(*runs, strict=False)
    ]


def text(calls: Sequence[Hotspot], most: int = 20) -> str:
    """A table of the slowest calls and what the others take."""
    total = sum(call.busy_ns + call.wait_ns for call in calls) or 1.0
    ranked = sorted(calls, key=lambda call: -call.busy_ns)
    rows = [["share", "busy", "waiting", "kernel", "nodes"]]
    for call in ranked[:most]:
        shown = ", ".join(call.nodes[:_NODES_SHOWN]) + (", ..." if len(call.nodes) > _NODES_SHOWN else "")
        share = f"{100 * call.busy_ns / total:.1f} %"
        rows.append([share, time_text(call.busy_ns / 1e9), time_text(call.wait_ns / 1e9), call.plan, shown])
    rest = ranked[most:]
    if rest:
        busy = sum(call.busy_ns for call in rest)
        rows.append([f"{100 * busy / total:.1f} %", time_text(busy / 1e9), "", "", f"{len(rest)} others"])
    waiting = sum(call.wait_ns for call in calls)
    rows.append(
        [f"{100 * waiting / total:.1f} %", time_text(waiting / 1e9), "", "", "waiting for other threads"]
    )
    return table(rows)
