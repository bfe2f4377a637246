"""Processes that start cold at once share the work, and one that is killed leaves nothing broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sardonyx
from sardonyx.runtime import claim
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.claim import claimed
from tests.unit.runtime.programs import f32, model

HOLD = """
import sys, time
from sardonyx.runtime import claim
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.claim import claimed
with Cache(sys.argv[1]).claim("object", "abc", wait=False) as is_ours:
    print(is_ours, flush=True)
    time.sleep(60)
"""
COLD = """
import sys
import numpy as np
import sardonyx
print("ready", flush=True)
sys.stdin.readline()
session = sardonyx.InferenceSession(sys.argv[1])
(y,) = session.run(None, {"x": np.linspace(-3, 3, 24, dtype=np.float32).reshape(3, 8)})
print(session.report.counters["compiles"], float(y.sum()))
"""
CHAIN = "\n".join(
    f"t{n + 1} = {op}(t{n}) s{n} = Softmax<axis = {n % 2}>(t{n + 1})"
    for n, op in enumerate(("Exp", "Sigmoid", "Tanh", "Softplus", "Erf", "Relu", "Abs", "Neg"))
)
MANY = f"""
g (float[N,8] x) => (float y) <float[8,8] w> {{
    t0 = MatMul(x, w)
    {CHAIN}
    sum = Sum({", ".join(f"s{n}" for n in range(8))})
    y = ReduceSum<keepdims = 0>(sum)
}}
"""


def start(code: str, *arguments: str | Path, cache: Path) -> subprocess.Popen[str]:
    variables = {
        **os.environ,
        "SARDONYX_CACHE": str(cache),
        "PYTHONPATH": str(Path(sardonyx.__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(model(MANY, w=f32(8, 8)))
    return file


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    holder, cache = start(HOLD, tmp_path, cache=tmp_path), Cache(tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with cache.claim("object", "abc", wait=False) as is_ours:
        assert not is_ours
    with cache.claim("object", "other", wait=False) as is_ours:
        assert is_ours
    holder.kill()
    holder.communicate()
    began = time.monotonic()
    with cache.claim("object", "abc", wait=True) as is_ours:
        assert is_ours
    assert time.monotonic() - began < 1


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_nobody_waits_for_a_process_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sardonyx.runtime.claim.PATIENCE_SECONDS", 0.2)
    holder = start(HOLD, tmp_path, cache=tmp_path)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.send_signal(signal.SIGSTOP)
    try:
        with Cache(tmp_path).claim("object", "abc", wait=True) as is_ours:
            assert is_ours
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_two_cold_processes_compile_every_object_once(path: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    both = [start(COLD, path, cache=cache) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        process.stdout.readline()
    results = [process.communicate("\n")[0].split() for process in both]
    assert results[0][1] == results[1][1]
    objects = len(list((cache / "object").glob("*/*")))
    assert sum(int(compiles) for compiles, _ in results) == objects


SLOW = pytest.mark.slow


@pytest.mark.parametrize("seconds", [0.3, pytest.param(0.1, marks=SLOW), pytest.param(0.6, marks=SLOW)])
def test_a_killed_process_leaves_nothing_broken(
    path: Path, tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    victim = start(COLD, path, cache=cache)
    assert victim.stdin is not None
    assert victim.stdout is not None
    victim.stdout.readline()
    victim.stdin.write("\n")
    victim.stdin.flush()
    time.sleep(seconds)
    victim.kill()
    victim.communicate()
    monkeypatch.setenv("SARDONYX_CACHE", str(cache))
    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(3, 8)
    (y,) = sardonyx.InferenceSession(str(path)).run(None, {"x": x})
    assert y == pytest.approx(4 * 8 + 4 * 3, rel=1e-5)  # columns and rows that add up to 1


def never() -> bool:
    return False


def test_one_holds_and_others_are_told_or_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 0.05)
    path = tmp_path / "lock"
    with claimed(path, never, wait=False) as first:
        assert first
        assert path.stat().st_mode & 0o077 == 0
        with claimed(path, never, wait=False) as second:
            assert not second
        began = time.monotonic()
        with claimed(path, never, wait=True) as impatient:
            assert impatient
        assert time.monotonic() - began >= 0.05
    with claimed(path, never, wait=False) as third:
        assert third


def test_waiting_ends_when_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "PATIENCE_SECONDS", 60)
    looks = iter([False, False, True])
    with (
        claimed(tmp_path / "lock", never, wait=False),
        claimed(tmp_path / "lock", lambda: next(looks), wait=True),
    ):
        assert [*looks] == []


def test_where_nothing_can_be_locked_nobody_excludes_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        with claimed(tmp_path / "file/lock", never, wait=False) as held:
            assert held
    if sys.platform != "win32":

        def refuse(*_: object) -> None:
            raise OSError("no locks here")

        monkeypatch.setattr(claim.fcntl, "flock", refuse)
        with (
            claimed(tmp_path / "a", never, wait=False) as one,
            claimed(tmp_path / "a", never, wait=False) as two,
        ):
            assert one
            assert two
