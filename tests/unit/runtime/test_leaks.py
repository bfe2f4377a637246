"""What sessions hold returns when they are dropped: memory, threads, open files, mapped areas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.runtime.leaks import KINDS

ROOT = Path(__file__).parents[3]
SLACK_KB = 3000
"""Pools of the allocators of Python and the system; 100 leaked programs hold several times as much."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no sizes")


def measured(kind: str, count: int) -> list[dict[str, int]]:
    command = [sys.executable, "-m", "tests.unit.runtime.leaks", kind, str(count)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=900, check=True
    )
    marks: list[dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return marks


def check(kind: str, count: int) -> None:
    first, half, last = measured(kind, count)
    assert last["threads"] <= first["threads"]
    assert last["files"] <= first["files"]
    assert last["maps"] <= half["maps"] + 4
    assert last["rss_kb"] <= half["rss_kb"] + SLACK_KB


@pytest.mark.parametrize("kind", ["variants", pytest.param("control", marks=pytest.mark.slow)])
def test_sessions_that_are_dropped_leave_nothing(kind: str) -> None:
    check(kind, 100)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_sessions_leave_nothing(kind: str) -> None:
    check(kind, 1000)
