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
from sardonyx.tools.peak import Peak

_LEAST_RUNS = 3
_NODES_SHOWN = 4


class Hotspot(NamedTuple):
    """One call: medians over the runs; `plan` says how it is computed.

    `flops` and `traffic_bytes`: what it computes, and must read and write; 0 = unknown.
    """

    nodes: tuple[str, ...]
    kernel: str
    plan: str
    busy_ns: float
    wait_ns: float
    flops: int = 0
    traffic_bytes: int = 0

    @property
    def gflops(self) -> float:
        """Thousands of millions of floating-point operations a second."""
        return self.flops / self.busy_ns if self.busy_ns else 0.0

    @property
    def gigabytes(self) -> float:
        """Thousands of millions of bytes a second."""
        return self.traffic_bytes / self.busy_ns if self.busy_ns else 0.0

    def of_peak(self, peak: Peak) -> float:
        """The share of what the machine could do at most; 0 = unknown."""
        return peak.share(self.flops, self.traffic_bytes, self.busy_ns * 1e-9) if self.busy_ns else 0.0


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
            calls[0].flops,
            calls[0].traffic_bytes,
        )
        for calls in zip(*runs, strict=False)
    ]


def text(calls: Sequence[Hotspot], peak: Peak | None = None, most: int = 20) -> str:
    """A table of the slowest calls and what the others take; with a peak, how near to it they come."""
    total = sum(call.busy_ns + call.wait_ns for call in calls) or 1.0
    ranked = sorted(calls, key=lambda call: -call.busy_ns)
    speeds = ["GFLOP/s", "GB/s", "of peak"] if peak else []
    rows = [["share", "busy", "waiting", *speeds, "kernel", "nodes"]]
    for call in ranked[:most]:
        shown = ", ".join(call.nodes[:_NODES_SHOWN]) + (", ..." if len(call.nodes) > _NODES_SHOWN else "")
        times = [_share(call.busy_ns, total), time_text(call.busy_ns / 1e9), time_text(call.wait_ns / 1e9)]
        rows.append([*times, *(_speeds(call, peak) if peak else ()), call.plan, shown])
    blank = [""] * (2 + len(speeds))
    rest = ranked[most:]
    if rest:
        busy = sum(call.busy_ns for call in rest)
        rows.append([_share(busy, total), time_text(busy / 1e9), *blank, f"{len(rest)} others"])
    waiting = sum(call.wait_ns for call in calls)
    rows.append([_share(waiting, total), time_text(waiting / 1e9), *blank, "waiting for other threads"])
    return table(rows) + (f"\n  {peak.text()}" if peak else "")


def as_json(calls: Sequence[Hotspot], peak: Peak) -> dict[str, Any]:
    """All calls in order with their speeds, and the peak that these are shares of."""
    rows = [
        {**call._asdict(), "gflops": call.gflops, "gigabytes": call.gigabytes, "of_peak": call.of_peak(peak)}
        for call in calls
    ]
    return {"calls": rows, "peak": peak._asdict()}


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.1f} %"


def _speeds(call: Hotspot, peak: Peak) -> tuple[str, str, str]:
    return (
        f"{call.gflops:.1f}" if call.flops else "-",
        f"{call.gigabytes:.1f}" if call.traffic_bytes else "-",
        f"{call.of_peak(peak):.0%}" if call.flops or call.traffic_bytes else "-",
    )
