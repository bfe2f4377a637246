"""A profile is a file of trace events: a session's and, one after the other, its kernels'."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sardonyx.base.abi import BOOKKEEPING
from sardonyx.ort.profile import Profile, Profiled
from sardonyx.runtime.runnable import CallTime


def test_events_of_a_session(tmp_path: Path) -> None:
    profile = Profile(f"{tmp_path}/p")
    began = time.monotonic_ns()
    profile.add("model_run", began, note="first")
    name = profile.end()
    assert name.startswith(f"{tmp_path}/p_2")
    (event,) = json.loads(Path(name).read_text())
    assert (event["cat"], event["name"], event["ph"]) == ("Session", "model_run", "X")
    assert event["args"] == {"note": "first"}
    assert event["ts"] == round((began - profile.start_ns) / 1000, 3)
    assert event["dur"] >= 0


def test_kernels_follow_each_other(tmp_path: Path) -> None:
    profile = Profile(f"{tmp_path}/p")
    skipped = next(iter(BOOKKEEPING))
    calls = [
        CallTime("k1", ("a", "b"), 2000.0, 500.0),
        CallTime("not taken", ("c",), 0.0, 0.0),
        CallTime(skipped, (), 1000.0, 0.0),
        CallTime("k2", (), 3000.0, 0.0),
    ]
    profile.add_calls(calls, profile.start_ns, {"a": "Conv", "b": "Relu"})
    first, second = json.loads(Path(profile.end()).read_text())
    assert (first["name"], first["ts"], first["dur"]) == ("a+b_kernel_time", 0, 2)
    assert first["args"]["op_name"] == "Conv+Relu"
    assert first["args"]["wait_us"] == "0.5"
    assert (second["name"], second["ts"], second["dur"]) == ("k2_kernel_time", 3.5, 3)


def test_a_program_leaves_events_until_the_profile_ends(tmp_path: Path) -> None:
    asked: list[str] = []

    def profiled(feeds: Any) -> Any:
        asked.append("profile")
        return [feeds[0], feeds[0] + 1], [CallTime("k", ("n",), 1.0, 0.0)]

    def plain(feeds: Any, wanted: Any) -> Any:
        asked.append("run")
        return [[feeds[0], feeds[0] + 1][number] for number in wanted]

    program: Any = SimpleNamespace(
        inputs=(), outputs=(), initializer_inputs=(), profile=profiled, run=plain,
        report=SimpleNamespace(operators={"n": "Add"}),
    )  # fmt: skip
    profile = Profile(f"{tmp_path}/p")
    runner = Profiled(program, profile)
    assert runner.run([4], (1,)) == [5]
    assert json.loads(Path(profile.end()).read_text())[0]["name"] == "n_kernel_time"
    assert runner.run([4], (1, 0)) == [5, 4]
    assert asked == ["profile", "run"]
