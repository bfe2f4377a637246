"""A short run of the fuzz harness, and that it would notice what it looks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sardonyx
from tests.fuzz import case, guard
from tests.fuzz.seeds import text_seeds

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


def test_a_short_run_finds_no_fault(tmp_path: Path) -> None:
    done = python("-m", "tests.fuzz", "--runs", "700", "--seed", "7", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    counts = {name: int(count) for count, name in re.findall(r"^ +(\d+) (.+)$", done.stdout, re.MULTILINE)}
    assert counts["load: ok"] > 50
    assert counts["run: ok"] > 300


def test_a_case_is_the_same_each_time() -> None:
    for number in range(20):
        assert case.make(3, number).digest == case.make(3, number).digest


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


@pytest.mark.parametrize("op", ["Log", "Exp"])
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
