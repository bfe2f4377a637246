"""Where the time of a run goes: the calls of a program, timed and named by the ONNX nodes they compute.

Decides how often a model runs for that. Must not know how a call is timed, or how times are shown.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sardonyx.ort.feeds import FeedSpec, prepare

if TYPE_CHECKING:
    from sardonyx.base.report import KernelNote, Report
    from sardonyx.ort.session import InferenceSession
    from sardonyx.runtime.runnable import CallTime

_LEAST_RUNS, _MOST_RUNS = 3, 1000
_CLOCK_NS = 50.0
"""Clocks tell steps of some 10 ns."""


class Hotspot(NamedTuple):
    """One call: the least times of several `runs`, each by itself; `plan` says how it is computed.

    Clocks go on while something else has the core, so that only the quickest run tells what a call takes.
    `flops` and `traffic_bytes`: what it computes, and must read and write; 0 = unknown. `arithmetic`: what
    multiplies, as the report says.
    """

    nodes: tuple[str, ...]
    kernel: str
    plan: str
    busy_ns: float
    wait_ns: float
    flops: int = 0
    traffic_bytes: int = 0
    arithmetic: str = ""
    runs: int = 1

    @property
    def is_measured(self) -> bool:
        """Whether it takes long enough for a clock to tell."""
        return self.busy_ns >= _CLOCK_NS

    @property
    def gflops(self) -> float:
        """Thousands of millions of floating-point operations a second; 0 = unknown."""
        return self.flops / self.busy_ns if self.is_measured else 0.0

    @property
    def gigabytes(self) -> float:
        """Thousands of millions of bytes a second; 0 = unknown."""
        return self.traffic_bytes / self.busy_ns if self.is_measured else 0.0


def hotspots(session: InferenceSession, feeds: Mapping[str, Any], seconds: float) -> list[Hotspot]:
    """The calls of a run in order, timed again and again for that many seconds; three runs at least."""
    program = session._program
    values = [prepare(feeds[info.name], FeedSpec.of(info)) for info in program.inputs]
    end = time.monotonic() + seconds
    runs: list[list[CallTime]] = []
    while len(runs) < _LEAST_RUNS or (time.monotonic() < end and len(runs) < _MOST_RUNS):
        runs.append(program.profile(values)[1])
    return least(runs, session.report)


def least(runs: Sequence[Sequence[CallTime]], report: Report) -> list[Hotspot]:
    """The calls of runs that made the same ones, each as quick as it ever was."""
    notes = {which: itertools.cycle(told) for which, told in _told(report.kernels).items()}
    found = []
    for calls in zip(*runs, strict=False):
        first = calls[0]
        plan, arithmetic = next(notes.get((first.name, first.origins), iter([(first.name, "")])))
        busy, wait = min(call.busy_ns for call in calls), min(call.wait_ns for call in calls)
        work = first.flops, first.traffic_bytes
        found.append(Hotspot(first.origins, first.name, plan, busy, wait, *work, arithmetic, len(runs)))
    return found


def _told(kernels: Sequence[KernelNote]) -> dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]]:
    """Plan and arithmetic of the kernels that share name and nodes, in order; equal plans are numbered."""
    told: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    plans = [(f"{note.kind} {note.plan}".strip(), note.origins) for note in kernels]
    total, seen = Counter(plans), Counter[tuple[str, tuple[str, ...]]]()
    for note, plan in zip(kernels, plans, strict=True):
        seen[plan] += 1
        number = f" ({seen[plan]} of {total[plan]})" if total[plan] > 1 else ""
        told.setdefault((note.name, note.origins), []).append((plan[0] + number, note.arithmetic))
    return told
