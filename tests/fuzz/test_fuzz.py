"""A short run of the fuzz harness, and that it would notice what it looks for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import sardonyx
from sardonyx import targets
from sardonyx.base.knobs import PRECISION, SHORT_WEIGHTS, STRASSEN, WINOGRAD, Knob
from tests.fuzz import case, guard, worker
from tests.fuzz.seeds import text_seeds
from tests.fuzz.tally import Tally, summary, write

ROOT = Path(__file__).parents[2]
GUARDED = """
import ctypes, numpy as np
from tests.fuzz import guard
for _ in range(2):
    array = guard.guarded_empty((10,), np.float64)
    ctypes.memset(array.ctypes.data - {before}, 1, 80 + {before} + {after})
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_short_run_finds_no_fault(runs: int, tmp_path: Path) -> None:
    done = python("-m", "tests.fuzz", "--runs", str(runs), "--seed", "7", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    counts = {name: int(count) for count, name in re.findall(r"^ +(\d+) (.+)$", done.stdout, re.MULTILINE)}
    assert counts["load: ok"] > runs / 14
    assert counts["run: ok"] > runs * 3 / 7


@pytest.mark.parametrize(
    "by", [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_no_worker_outlives_a_run_that_is_ended(by: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seed", "7", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        wait_until(lambda: bool(children.read_text()))
        (worker,) = map(int, children.read_text().split())
        wait_until(lambda: ignores(worker, signal.SIGINT))
        run.send_signal(by)
        said, _ = run.communicate(timeout=60)
    wait_until(lambda: status_of(worker).get("State", "Z").startswith("Z"))
    assert run.returncode == (-by if by == signal.SIGKILL else 130)
    assert said.startswith("interrupted after ") == (by != signal.SIGKILL)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def status_of(pid: int) -> dict[str, str]:
    """What the system says of a process; nothing if there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def ignores(pid: int, number: signal.Signals) -> bool:
    return bool(int(status_of(pid)["SigIgn"], 16) >> (number - 1) & 1)


def test_a_fault_says_for_which_target_it_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v3")
    tally = Tally()
    tally.fault("a place", 12, "a model", "a text")
    write(tally, 3, tmp_path)
    (found,) = tmp_path.iterdir()
    assert "SARDONYX_TARGET=x86_64-v3 python -m tests.fuzz" in found.read_text()
    assert " for x86_64-v3, " in summary(tally, 1.0)


def test_a_target_is_named_with_its_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "x86_64-v4+avx512vnni+amx-tile+amx-int8"
    monkeypatch.setattr(targets, "detect", lambda: targets.by_name(name))
    tally = Tally()
    tally.fault("a place", 12, "a model", "a text")
    write(tally, 3, tmp_path)
    (found,) = tmp_path.iterdir()
    assert f"SARDONYX_TARGET={name} python -m tests.fuzz" in found.read_text()


def test_a_case_is_the_same_each_time() -> None:
    for number in range(20):
        assert case.make(3, number).digest == case.make(3, number).digest


@pytest.mark.parametrize("knob", [PRECISION, WINOGRAD, STRASSEN, SHORT_WEIGHTS], ids=lambda k: k.name)
def test_every_way_of_computing_is_drawn(knob: Knob[str]) -> None:
    drawn = set()
    for number in range(120):
        with suppress(RuntimeError):  # it is not set
            options = worker.options_of(case.make(7, number))
            drawn.add(options.get_session_config_entry(knob.entry))
    assert drawn == set(knob.choices[1:])


def test_a_run_after_one_without_memory_is_compared_with_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    real = sardonyx.InferenceSession.run

    def second(*arguments: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(sardonyx.InferenceSession, "run", second)
    for number in range(40):
        runs.clear()
        outcomes = list(worker.run(case.make(7, number), tmp_path / str(number)))
        if outcomes[1:3] == ["run: MemoryError (memory)", "run: ok"]:
            return
    raise AssertionError("no model ran twice")


def test_the_seeds_of_this_folder_run() -> None:
    for seed in text_seeds():
        if not seed.files:
            sardonyx.InferenceSession(seed.model).run(None, dict(seed.feeds))


@pytest.mark.parametrize(("before", "after"), [(0, 0), (8192, 0), (0, 8192)])
def test_guards_end_a_process_that_leaves_its_memory(before: int, after: int) -> None:
    done = python("-c", GUARDED.format(before=before, after=after))
    assert (done.returncode == 0) == (before == after == 0), done.stderr


STRIDED = """
import numpy as np, onnx, sardonyx
from tests.fuzz import guard
guard.install()
text = '<ir_version: 10, opset_import: ["": 21]> g (double[7,2,2] x) => (double[7,1,2] y) {{ '
text += "a = Constant<value_ints = [1]>() r = ReduceSum(x, a) y = {op}(r) }}"
options = sardonyx.SessionOptions()
options.add_session_config_entry("sardonyx.target", "x86_64-v3")
session = sardonyx.InferenceSession(onnx.parser.parse_model(text).SerializeToString(), options)
session.run(None, {{"x": guard.guarded_copy(np.ones((7, 2, 2)))}})
"""


@pytest.mark.parametrize("op", ["Log", pytest.param("Exp", marks=pytest.mark.slow)])
def test_lanes_that_a_known_mask_leaves_out_are_not_read(op: str) -> None:
    done = python("-c", STRIDED.format(op=op))
    assert not done.returncode, done.stderr


def test_feeds_cannot_be_written() -> None:
    script = "import numpy as np; from tests.fuzz import guard; guard.guarded_copy(np.ones(9))[0] = 2"
    assert python("-c", script).returncode < 0


def test_canaries_notice_a_write_within_the_page() -> None:
    guard.begin()
    guard.guarded_bytes(100)
    guard.WATCH.check()
    guard.guarded_bytes(100)
    guard.WATCH.slack[-1][0] ^= 1
    with pytest.raises(guard.Overrun, match="1 of"):
        guard.WATCH.check()
