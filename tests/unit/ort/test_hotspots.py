"""The calls of a run, timed and named."""

from __future__ import annotations

import sardonyx
from sardonyx.base.report import KernelNote, Report
from sardonyx.ort.hotspots import Hotspot, hotspots, least
from sardonyx.runtime.runnable import CallTime
from tests.unit.runtime.programs import WRITTEN, f32, model


def test_calls_are_timed_in_order() -> None:
    session = sardonyx.InferenceSession(model(WRITTEN))
    calls = hotspots(session, {"x": f32(3, 8)}, 0.01)
    assert [call.nodes for call in calls] == [("Relu_0",), ("Cast_1",), ("Cast_2",), ("Exp_3",)]
    assert all(call.busy_ns > 0 and call.runs >= 3 for call in calls)
    assert [(call.flops, call.traffic_bytes) for call in calls[::3]] == [(24, 24 * 8)] * 2


def test_a_run_that_was_disturbed_tells_of_no_slow_kernel() -> None:
    runs = [
        [CallTime("a", ("A",), 100.0, 9.0, 7, 8), CallTime("b", ("B",), 5000.0, 0.0)],
        [CallTime("a", ("A",), 9000.0, 1.0, 7, 8), CallTime("b", ("B",), 50.0, 0.0)],
    ]
    report = Report(kernels=[KernelNote("a", ("A",), "gemm", "6x16", arithmetic="f32")])
    assert least(runs, report) == [
        Hotspot(("A",), "a", "gemm 6x16", 100.0, 1.0, 7, 8, "f32", 2),
        Hotspot(("B",), "b", "b", 50.0, 0.0, runs=2),
    ]


def test_speeds_are_work_over_time() -> None:
    call = Hotspot(("a",), "k", "gemm", busy_ns=500.0, wait_ns=0.0, flops=1000, traffic_bytes=100)
    assert (call.gflops, call.gigabytes) == (2.0, 0.2)
    skipped = call._replace(busy_ns=0.0)
    assert (skipped.gflops, skipped.gigabytes) == (0.0, 0.0)


def test_calls_that_share_kernel_and_nodes_are_told_apart() -> None:
    notes = [KernelNote("m", ("C",), "move", plan) for plan in ("pad", "turn", "pad")]
    calls = [CallTime("m", ("C",), 1.0, 0.0)] * 6
    named = [call.plan for call in least([calls], Report(kernels=notes))]
    assert named == ["move pad (1 of 2)", "move turn", "move pad (2 of 2)"] * 2
