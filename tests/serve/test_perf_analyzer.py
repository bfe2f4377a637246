"""perf_analyzer, the load generator of Triton, measures this server: HTTP, gRPC, shared memory."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.serve.models import SUM_AND_DIFFERENCE, save
from tests.serve.process import served

PROGRAM = shutil.which("perf_analyzer")
SHARED = ("--shared-memory", "system", "--output-shared-memory-size", "4096")
QUICK = ("--measurement-mode", "count_windows", "--measurement-request-count", "100", "-s", "900", "-r", "3")


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="perf_analyzer is not installed (its wheels need glibc 2.38)")
@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        ("http", ()),
        ("http", ("--input-tensor-format", "json", "--output-tensor-format", "json")),
        ("http", SHARED),
        ("grpc", ()),
        ("grpc", SHARED),
    ],
)
def test_it_measures(tmp_path: Path, protocol: str, more: tuple[str, ...]) -> None:
    assert PROGRAM is not None
    save(SUM_AND_DIFFERENCE, tmp_path / "models" / "simple.onnx")
    options = ("--allow-client-shm", "--home", tmp_path / "home")
    with served(tmp_path / "models", *options, log=tmp_path / "log") as server:
        address = server.url.removeprefix("http://") if protocol == "http" else server.grpc
        command = [PROGRAM, "-m", "simple", "-b", "1", "-i", protocol, "-u", address, *QUICK, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Throughput:" in done.stdout
