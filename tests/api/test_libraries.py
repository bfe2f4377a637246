"""Unmodified libraries that import onnxruntime give the same answers on Sardonyx.

Each runs in two processes, one with the module taken over; the real onnxruntime is not loaded in that one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sardonyx import zoo
from tests.api.library_runs import RUNS

NEEDED = (
    "oww_alexa",
    "oww_hey_jarvis",
    "oww_melspectrogram",
    "oww_embedding",
    "ppocrv4_det",
    "smart_turn_whisper_qdq",
)
"""Models that the libraries are given, and those whose assets they look at."""


def results(library: str, engine: str, folder: Path) -> Any:
    script = Path(__file__).with_name("library_runs.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ORT_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-W", "ignore", str(script), library, engine, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert bool(answer["native"]) == (engine == "onnxruntime"), answer["native"]
    return answer["result"]


@pytest.mark.slow
@pytest.mark.parametrize("library", RUNS)
def test_libraries_give_equal_answers(library: str) -> None:
    folder = next(iter(zoo.fetch(NEEDED).values())).parent
    ours = results(library, "sardonyx", folder)
    peers = results(library, "onnxruntime", folder)
    assert_alike(ours, peers)


def assert_alike(ours: Any, peers: Any) -> None:
    """Equal texts and boxes; numbers within 1e-3."""
    assert type(ours) is type(peers)
    if isinstance(ours, dict):
        assert ours.keys() == peers.keys()
        ours, peers = list(ours.values()), list(peers.values())
    if isinstance(ours, list):
        assert len(ours) == len(peers)
        for a, b in zip(ours, peers, strict=True):
            assert_alike(a, b)
    elif isinstance(ours, float):
        assert ours == pytest.approx(peers, abs=1e-3, rel=1e-3)
    else:
        assert ours == peers
