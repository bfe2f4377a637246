"""The child of a benchmark answers each command with a line, whatever the engine does."""

from __future__ import annotations

import itertools
import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.tools import bench_worker
from sardonyx.tools.bench_worker import LEAST_RUNS, Worker, peak_bytes

ENGINE = """
__version__ = "7"

class SessionOptions:
    pass

class InferenceSession:
    def __init__(self, path, options):
        if path == "broken":
            raise ValueError("no model")
        print("noise of the engine")

    def run(self, names, feeds):
        return [feeds["x"] + 1]
"""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker whose engine is a stand-in that counts runs."""
    engine = ModuleType("made_up_engine")
    vars(engine).update(
        __version__="7",
        SessionOptions=SimpleNamespace,
        InferenceSession=lambda path, options: Session(path, options),
    )
    monkeypatch.setitem(sys.modules, "made_up_engine", engine)
    return Worker("made_up_engine")


class Session:
    def __init__(self, path: str, options: Any) -> None:
        self.path, self.options, self.runs = path, options, 0

    def run(self, names: None, feeds: dict[str, Any]) -> list[Any]:
        self.runs += 1
        return [feeds["x"] * 2]


def feeds(tmp_path: Path) -> str:
    path = tmp_path / "feeds"
    path.write_bytes(pickle.dumps([{"x": np.ones(2)}]))
    return str(path)


def test_a_session_is_opened_and_run_once(worker: Worker, tmp_path: Path) -> None:
    facts = worker.open({"model": "m", "threads": 3, "feeds": feeds(tmp_path)})
    assert (worker.session.path, worker.session.runs, worker.session.options.intra_op_num_threads) == (
        "m",
        1,
        3,
    )
    assert facts["version"] == "7" and facts["peak_bytes"] >= facts["empty_bytes"] > 0
    assert min(facts["open_ms"], facts["first_run_ms"], facts["import_ms"]) >= 0
    worker.outputs({"to": str(tmp_path / "out")})
    assert pickle.loads((tmp_path / "out").read_bytes())[0].tolist() == [2, 2]


def test_feeds_take_turns_and_each_has_its_outputs(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "feeds"
    path.write_bytes(pickle.dumps([{"x": np.float32([number])} for number in range(3)]))
    worker.open({"model": "m", "threads": 1, "feeds": str(path)})
    fed: list[float] = []
    worker.session.run = lambda names, feeds: fed.append(float(feeds["x"][0])) or [feeds["x"] * 2]
    for _ in range(2):
        worker.block({"seconds": 0, "processor": False})
        assert len(fed) == LEAST_RUNS
        assert fed == [0, 1, 2]
        fed.clear()
    worker.outputs({"to": str(tmp_path / "out")})
    assert [output.tolist() for output in pickle.loads((tmp_path / "out").read_bytes())] == [[0], [2], [4]]


def test_a_block_leaves_its_warm_up_out(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.open({"model": "m", "threads": 1, "feeds": feeds(tmp_path)})
    now = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(bench_worker.time, "perf_counter_ns", lambda: next(now))
    times = worker.block({"seconds": 100e-6, "processor": False})["times_us"]
    runs = worker.session.runs - 1
    assert set(times) == {1.0} and runs == 33 and len(times) == runs - 3
    assert len(worker.block({"seconds": 0, "processor": False})["times_us"]) == LEAST_RUNS - 1


@pytest.mark.parametrize(("run_us", "tried", "repeats"), [(1, 63, 100), (30, 1, 3), (200, 1, 1)])
def test_short_runs_are_timed_together_by_processors(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_us: int, tried: int, repeats: int
) -> None:
    worker.open({"model": "m", "threads": 1, "feeds": feeds(tmp_path)})
    monkeypatch.setattr(bench_worker.time, "process_time_ns", lambda: worker.session.runs * run_us * 1000)
    times = worker.block({"seconds": 0, "processor": True})["times_us"]
    assert times == [run_us] * (LEAST_RUNS - 1)
    assert worker.session.runs == 1 + tried + LEAST_RUNS * repeats


@pytest.mark.parametrize("tick_us", [1, 15_625])
def test_runs_shorter_than_a_tick_of_the_clock_are_counted_by_ticks(
    tick_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = itertools.count()
    monkeypatch.setattr(bench_worker.time, "process_time_ns", lambda: next(runs) // tick_us * tick_us * 1000)
    repeats = bench_worker.repeats_of(lambda: next(runs), 4_000_000)
    assert 2_000 <= repeats <= 4_000
    assert next(runs) < 3 * max(tick_us, repeats)


def test_the_largest_memory_so_far() -> None:
    before = peak_bytes()
    held = np.ones(1 << 22)
    assert peak_bytes() >= max(before, held.nbytes)


def test_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine_of_a_test.py").write_text(ENGINE)
    source = str(Path(bench_worker.__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{source}")
    commands = [
        {"do": "open", "model": "broken", "threads": 1, "feeds": feeds(tmp_path)},
        {"do": "open", "model": "m", "threads": 1, "feeds": feeds(tmp_path)},
        {"do": "dance"},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sardonyx.tools.bench_worker", "engine_of_a_test"],
        input="".join(f"{json.dumps(command)}\n" for command in commands),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    refused, opened, unknown = map(json.loads, done.stdout.splitlines())
    assert refused == {"error": "ValueError: no model"} and opened["version"] == "7"
    assert "AttributeError" in unknown["error"] and "noise of the engine" in done.stderr


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("no_such_engine", "no_such_engine is not installed; pip install no_such_engine"),
        ("json", "TypeError: the module json is no engine: it has no InferenceSession"),
    ],
)
def test_a_module_that_is_no_engine_is_told(engine: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sardonyx.tools.bench_worker", engine],
        input='{"do": "open"}\n', capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["error"].startswith(said) and not done.stderr


def test_the_peak_of_a_process_is_not_that_of_its_parent() -> None:
    held = np.ones(16 << 20)
    script = "from sardonyx.tools.bench_worker import peak_bytes; print(peak_bytes())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(said) < held.nbytes < peak_bytes()
