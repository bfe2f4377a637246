"""The calls of a run, timed and named."""

from __future__ import annotations

import sardonyx
from sardonyx.tools.hotspots import Hotspot, hotspots, text
from tests.unit.runtime.programs import WRITTEN, f32, model


def test_calls_are_timed_in_order() -> None:
    session = sardonyx.InferenceSession(model(WRITTEN))
    calls = hotspots(session, {"x": f32(3, 8)}, 0.01)
    assert [call.nodes for call in calls] == [("Relu_0",), ("Cast_1",), ("Cast_2",), ("Exp_3",)]
    assert all(call.busy_ns > 0 for call in calls)


def test_text() -> None:
    calls = [Hotspot((f"Relu_{n}",), "k", "loops map", 1000.0 * n, 10.0) for n in range(1, 5)]
    assert [line.split() for line in text(calls, most=2).splitlines()] == [
        ["share", "busy", "waiting", "kernel", "nodes"],
        ["39.8", "%", "4.0", "us", "10", "ns", "loops", "map", "Relu_4"],
        ["29.9", "%", "3.0", "us", "10", "ns", "loops", "map", "Relu_3"],
        ["29.9", "%", "3.0", "us", "2", "others"],
        ["0.4", "%", "40", "ns", "waiting", "for", "other", "threads"],
    ]
