"""The stop watch itself: two sessions of the same engine are equally fast and equally right."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.tools import bench

PEERS = ("onnxruntime", "onnxruntime")
TEXT = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[N, 64] x) => (float[N, 64] y) { y = Softmax(x) }
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "softmax.onnx"
    path.write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    return path


@pytest.mark.parametrize("processor", [False, True])
def test_equal_engines_are_measured_equal(processor: bool, model: Path) -> None:
    feeds = {"x": np.ones((8, 64), np.float32)}
    row = bench.compare(model, feeds, engines=PEERS, seconds=0.2, processor=processor)
    assert row.apart == 0
    assert row.speed is not None
    # By the clock, other work on the machine is part of most runs, of one engine more than of the other.
    ours, theirs = (timing.fastest_us for timing in row.timings)
    assert 0.5 < (row.speed if processor else theirs / ours) < 2
    assert all(timing.runs > 10 for timing in row.timings)
    assert all(start.peak_bytes > start.empty_bytes > 1e6 for start in row.starts)


def test_each_further_engine_is_compared(model: Path) -> None:
    engines = ("sardonyx", "onnxruntime", "onnxruntime")
    row = bench.compare(model, {"x": np.ones((8, 64), np.float32)}, engines=engines, seconds=0.01)
    assert row.further_apart == {"onnxruntime": row.apart}
    row.further_apart = {"one": math.inf, "two": 0.5}
    assert row.as_json()["further_apart"] == {"one": "inf", "two": 0.5}


def test_what_is_fed_in_turn_is_compared_as_a_whole(model: Path) -> None:
    feeds = [{"x": np.full((rows, 64), rows, np.float32)} for rows in (1, 2)]
    right = bench.exactly(model, feeds)
    assert [output.shape for output in right] == [(1, 64), (2, 64)]
    row = bench.compare(model, feeds, engines=PEERS, seconds=0.01, expected=right)
    assert row.wrong == [0, 0] and row.agrees
    right[1] = -right[1]
    row = bench.compare(model, feeds, engines=PEERS, seconds=0.01, expected=right)
    assert row.wrong == [pytest.approx(2 / 3)] * 2


PARENT = """
from sardonyx.tools import bench
engine = bench.Engine("onnxruntime")
try:
    engine.ask(do="outputs", to="")
except bench.BenchError:
    engine.pause()
    print(engine.process.pid, flush=True)
    input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing ends a process with its parent")
def test_a_stopped_worker_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = parent.stdout.readline().strip()
        wait_for(worker, "T")
        parent.kill()
    wait_for(worker, "ZX")


def wait_for(process: str, states: str) -> None:
    end = time.monotonic() + 10
    while state_of(process) not in states:
        assert time.monotonic() < end, f"{process} is in state {state_of(process)}, not in one of {states}"
        time.sleep(0.01)


def state_of(process: str) -> str:
    """T: stopped; Z: ended; X: not there."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def test_the_engine_s_complaint_is_passed_on(model: Path) -> None:
    with pytest.raises(bench.BenchError, match=r"onnxruntime: .*Invalid input name"):
        bench.compare(model, {"x": np.ones((1, 64), np.float32), "z": np.ones(1)}, engines=PEERS)


def test_outputs_may_be_as_far_apart_as_the_coarsest_precision_explains() -> None:
    assert bench.largest_distance() == bench.largest_distance("fp32", "strict") == 1e-4
    assert bench.largest_distance("fp32", "fp16") == 1e-3 and bench.largest_distance("bf16", "fp16") == 0.1
    near, far = (bench.Row("net", 1, apart=apart, allowed=1e-3) for apart in (1e-3, 2e-3))
    assert near.agrees and not far.agrees and not bench.Row("net", 1).agrees


def test_distance_is_relative_to_the_largest_value() -> None:
    right = np.array([10.0, np.nan, np.inf])
    assert bench.distance([np.array([10.1, np.nan, np.inf])], [right]) == pytest.approx(0.01)
    assert bench.distance([right], [right, right]) == math.inf
    assert bench.distance([right[:2]], [right]) == math.inf
    assert bench.distance([np.array(["a"], object)], [np.array(["a"], object)]) == 0


def test_sequences_and_maps_are_compared_by_their_numbers() -> None:
    right = [[{0: 0.25, 1: 0.75}, {0: 0.5, 1: 0.5}], [np.zeros(2), np.full(3, 2.0)]]
    near = [[{0: 0.2500001, 1: 0.75}, {0: 0.5, 1: 0.5}], [np.zeros(2), np.full(3, 2.0)]]
    assert 0 < bench.distance(near, right) < 1e-6
    assert bench.wrong_share(near, right) == 0
    for far in ([[{0: 0.25, 2: 0.75}, {0: 0.5, 2: 0.5}], right[1]], [right[0], right[1][:1]]):
        assert bench.distance(far, right) > 0.1
        assert bench.wrong_share(far, right) > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_near_zero_are_roundings(dtype: type) -> None:
    left = np.array([3e-45, 0, -2e-40], dtype)
    assert bench.distance([left], [np.zeros(3, dtype)]) == 0
    assert bench.distance([np.full(3, 1e-16, dtype)], [np.full(3, -1e-16, dtype)]) == 0
    assert bench.distance([np.full(3, 1e-3, dtype)], [np.zeros(3, dtype)]) == pytest.approx(1e-3)
    assert bench.distance([np.array([0, 1e-2], dtype)], [np.array([0, 1.1e-2], dtype)]) > 1e-2


def test_nan_and_infinities_must_be_in_the_same_places() -> None:
    for one, other in (([np.nan, 1], [1, np.nan]), ([np.inf, 1], [1, 1]), ([np.nan, 1], [0, 1])):
        assert bench.distance([np.array(one)], [np.array(other)]) == math.inf


def test_geometric_mean() -> None:
    assert bench.geometric_mean([0.5, 2.0]) == pytest.approx(1)


def test_the_share_of_wrong_values() -> None:
    right = [np.array([100.0, 1.0, np.nan, 0.0]), np.array([1, 2])]
    assert bench.wrong_share(right, right) == 0
    near = [np.array([109.0, 10.0, np.nan, -9.0]), np.array([1, 2])]
    assert bench.wrong_share(near, right) == 0
    far = [np.array([111.0, 1.0, 0.0, 0.0]), np.array([1, 3])]
    assert bench.wrong_share(far, right) == 0.5
    assert bench.wrong_share([right[0][:2], right[1]], right) == pytest.approx(4 / 6)
    assert bench.wrong_share([right[0], right[1].astype(float)], right) == pytest.approx(2 / 6)
    assert bench.wrong_share(right[:1], right) == 1


def test_outputs_are_judged_by_what_was_expected_and_by_what_their_precisions_allow(model: Path) -> None:
    feeds = {"x": np.zeros((1, 64), np.float32)}
    expected = np.full((1, 64), 1 / 64, np.float32)
    expected[0, :16] = 0
    precisions = ("bf16", "fp16")
    row = bench.compare(model, feeds, engines=PEERS, seconds=0.01, expected=[expected], precisions=precisions)
    assert row.wrong == [0.25, 0.25] and row.as_json()["wrong"] == [0.25, 0.25] and row.allowed == 0.1


def test_what_is_right_is_asked_only_where_outputs_differ(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g () => (float[4] y) { y = RandomUniform <shape = [4], low = LOW> () }"""
    path, rows = tmp_path / "random.onnx", []
    for low in ("1.0", "0.0"):
        path.write_bytes(onnx.parser.parse_model(text.replace("LOW", low)).SerializeToString())
        zeros = [np.zeros(4, np.float32)]
        rows.append(bench.compare(path, {}, engines=PEERS, seconds=0.01, expected=lambda z=zeros: z))
    assert [row.wrong for row in rows] == [[], [1, 1]]


def test_a_speed_beside_each_peer() -> None:
    timings = [bench.Timing(name, "1", us, us, us, 9) for name, us in (("a", 10.0), ("b", 20.0), ("c", 5.0))]
    row = bench.Row("net", 1, timings)
    assert [row.speed, *(row.speed_beside(n) for n in "abcd")] == [2, None, 2, 0.5, None]
    assert bench.Row("net", 1, timings[:1]).speed is None


@pytest.mark.parametrize(("seconds", "rounds"), [(100.0, bench.ROUNDS), (0.0, bench.LEAST_ROUNDS)])
def test_slow_models_get_fewer_rounds(
    seconds: float, rounds: int, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.Engine, "times_us", lambda engine, seconds, processor: [1.0])
    row = bench.compare(model, {"x": np.ones((8, 64), np.float32)}, engines=PEERS, seconds=seconds)
    assert [timing.runs for timing in row.timings] == [rounds, rounds]
