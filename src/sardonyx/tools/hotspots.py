"""The calls of a run as people read them: a table of the slowest, and JSON of all.

Must not know how they are timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sardonyx.ort.hotspots import Hotspot
from sardonyx.tools.console import table, time_text
from sardonyx.tools.peak import Peak

_NODES_SHOWN = 4


def of_peak(call: Hotspot, peak: Peak) -> float:
    """The share of what the machine could do at most; 0 = unknown."""
    work = call.flops, call.traffic_bytes
    return peak.share(*work, call.busy_ns * 1e-9, call.arithmetic) if call.is_measured else 0.0


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
    said = f"\n  each time is the least of {calls[0].runs} runs" if calls else ""
    return table(rows) + said + (f"\n  {peak.text()}" if peak else "")


def as_json(calls: Sequence[Hotspot], peak: Peak) -> dict[str, Any]:
    """All calls in order with their speeds, and the peak that these are shares of."""
    rows = [
        {**call._asdict(), "gflops": call.gflops, "gigabytes": call.gigabytes, "of_peak": of_peak(call, peak)}
        for call in calls
    ]
    return {"calls": rows, "peak": peak._asdict()}


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.1f} %"


def _speeds(call: Hotspot, peak: Peak) -> tuple[str, str, str]:
    return (
        f"{call.gflops:.1f}" if call.gflops else "-",
        f"{call.gigabytes:.1f}" if call.gigabytes else "-",
        f"{of_peak(call, peak):.0%}" if call.is_measured and (call.flops or call.traffic_bytes) else "-",
    )
