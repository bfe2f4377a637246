"""The page that says where the time of a model goes: kernels timed by the engine, and what it decided.

Decides how often a model runs for that and on what. Must not know how kernels are timed.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.models import ModelPages
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


class ProfilePages:
    """Handlers of this page."""

    def __init__(self, desk: Desk, models: ModelPages) -> None:
        self._desk, self._models = desk, models
        self._running = threading.Lock()

    async def show(self, request: Request) -> Response:
        """What the compiler decided; times are measured on demand."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "metadata", name)
        return self._page(request, name, who, None)

    async def measure(self, request: Request) -> Response:
        """Run the model on random numbers for about a second and show where the time went."""
        name = request.path_params["model"]
        who = self._desk.admit(request, "repository", name)
        form = await self._desk.form(request)
        sizes = {key[5:]: _side(str(value)) for key, value in form.items() if key.startswith("size.")}
        session = _session(self._desk.parts.core.model(name, str(form.get("version", ""))))
        measured = await run_in_threadpool(self._measure, session, sizes)
        return self._page(request, name, who, {**measured, "sizes": sizes})

    def _page(self, request: Request, name: str, who: Any, measured: dict[str, Any] | None) -> Response:
        about = self._models.about(name, request.query_params.get("version", ""))
        session = getattr(about["model"], "session", None)
        report = session.report if session is not None else None
        free = _free_sizes(session) if session is not None else []
        return self._desk.page(
            request,
            "profile.html",
            "models",
            who,
            report=report,
            counters=_counters(report) if report is not None else {},
            stages=sorted(report.timings, key=lambda t: -t.elapsed_ms)[:8] if report is not None else [],
            free=free,
            measured=measured,
            **about,
        )

    def _measure(self, session: Any, sizes: dict[str, int]) -> dict[str, Any]:
        if not self._running.acquire(timeout=10):
            raise ServeError(
                Code.UNAVAILABLE, "another profile is being measured; try again in a moment", 2.0
            )
        try:
            return measured(session, sizes)
        finally:
            self._running.release()


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


def _session(model: Any) -> Any:
    session = getattr(model, "session", None)
    if session is None:
        raise ServeError(Code.UNSUPPORTED, "an ensemble has no kernels of its own; look at its models")
    return session


def _free_sizes(session: Any) -> list[dict[str, Any]]:
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


def _side(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1 << 20:
        raise invalid(f"{text!r} is no size: give a whole number from 1 on")
    return int(text)


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


def _counters(report: Any) -> dict[str, Any]:
    fused = sum(len(note.origins) for note in report.kernels)
    return {
        "Kernels": len(report.kernels),
        "Nodes in them": fused,
        "Without native code": len(report.fallbacks),
        "Weights": report.counters.get("weight_bytes"),
        "Memory between kernels": report.counters.get("arena_bytes"),
    }
