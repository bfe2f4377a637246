"""The calls of a run, timed and named."""

from __future__ import annotations

import sardonyx
from sardonyx.ort.hotspots import Hotspot, hotspots
from tests.unit.runtime.programs import WRITTEN, f32, model


def test_calls_are_timed_in_order() -> None:
    session = sardonyx.InferenceSession(model(WRITTEN))
    calls = hotspots(session, {"x": f32(3, 8)}, 0.01)
    assert [call.nodes for call in calls] == [("Relu_0",), ("Cast_1",), ("Cast_2",), ("Exp_3",)]
    assert all(call.busy_ns > 0 for call in calls)
    assert [(call.flops, call.traffic_bytes) for call in calls[::3]] == [(24, 24 * 8)] * 2


def test_speeds_are_work_over_time() -> None:
    call = Hotspot(("a",), "k", "gemm", busy_ns=500.0, wait_ns=0.0, flops=1000, traffic_bytes=100)
    assert (call.gflops, call.gigabytes) == (2.0, 0.2)
    skipped = call._replace(busy_ns=0.0)
    assert (skipped.gflops, skipped.gigabytes) == (0.0, 0.0)
