"""The kernels of a session, timed on random numbers and sorted; the page and the viewer show them.

Decides on what a model runs for that. Must not know how kernels are timed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base.drawn import drawn
from sardonyx.ort.feeds import FeedSpec
from sardonyx.ort.hotspots import Hotspot, hotspots
from sardonyx.ort.metadata import declared
from sardonyx.protocol.errors import Code, ServeError, invalid

_RUN_S = 1.0
_MOST_SHOWN = 24
_MOST_ELEMENTS = 64 << 20
_NODES_SHOWN = 3
_OF_THE_ENGINE = {
    "sdx_require": "check of sizes",
    "sdx_iterate": "steps of a loop",
    "sdx_alone": "part for one thread",
    "sdx_together": "part for all threads",
    "sdx_barrier": "wait for other threads",
}


def measured(session: Any, sizes: dict[str, int]) -> dict[str, Any]:
    """The kernels of a session, slowest first, timed for about a second; blocks."""
    feeds = {argument.name: _random(declared(argument), sizes) for argument in session.get_inputs()}
    calls = hotspots(session, feeds, _RUN_S)
    busy = sum(call.busy_ns for call in calls) or 1.0
    waiting = sum(call.wait_ns for call in calls)
    ranked = sorted((call for call in calls if call.busy_ns > 0), key=lambda call: -call.busy_ns)
    named = [(_operators(call, session.report.operators), call) for call in ranked]
    return {
        "kernels": [_row(operators, call, busy) for operators, call in named[:_MOST_SHOWN]],
        "others": max(0, len(ranked) - _MOST_SHOWN),
        "total_s": (busy + waiting) * 1e-9,
        "groups": _groups(named, busy),
        "waiting_s": waiting * 1e-9,
    }


def _operators(call: Hotspot, operators: Mapping[str, str]) -> str:
    """What a call computes, as operators; as the kind of its kernel where no node is known."""
    known = dict.fromkeys(operators.get(node, "") for node in reversed(call.nodes))
    if told := " + ".join(name for name in known if name):
        return told
    return _OF_THE_ENGINE.get(call.plan) or " ".join(call.plan.split()[1:2]) or call.plan


def _row(operators: str, call: Hotspot, total: float) -> dict[str, Any]:
    more = f" and {len(call.nodes) - _NODES_SHOWN} more" if len(call.nodes) > _NODES_SHOWN else ""
    return {
        "operators": operators,
        "nodes": ", ".join(call.nodes[:_NODES_SHOWN]) + more,
        "plan": _OF_THE_ENGINE.get(call.plan, call.plan),
        "busy_s": call.busy_ns * 1e-9,
        "wait_s": call.wait_ns * 1e-9,
        "share": call.busy_ns / total,
    }


def _groups(calls: list[tuple[str, Hotspot]], total: float) -> list[dict[str, Any]]:
    """Shares by the first operator, the five greatest and all others."""
    sums: dict[str, float] = {}
    for operators, call in calls:
        key = operators.split(" + ")[0]
        sums[key] = sums.get(key, 0.0) + call.busy_ns / total
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    shown = [{"name": name, "share": share} for name, share in ranked[:5]]
    rest = sum(share for _, share in ranked[5:])
    return [*shown, {"name": "others", "share": rest}] if rest > 0.0005 else shown


def free_sizes(session: Any) -> list[dict[str, Any]]:
    """The sizes that a request decides, by name, with a usual one."""
    found: dict[str, dict[str, Any]] = {}
    for argument in session.get_inputs():
        shape = declared(argument).shape or ()
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
    spec = FeedSpec.of(info)
    if spec.kind != "tensor" or spec.element is None:
        raise ServeError(
            Code.UNSUPPORTED, f"the input {info.name!r} is a {info.type}; only tensors can be drawn"
        )
    if spec.element.kind == "O":
        return np.full(shape, "text", object)
    return drawn(spec.element, shape, np.random.default_rng(0))
