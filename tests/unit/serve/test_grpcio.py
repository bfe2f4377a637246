"""How gRPC's library waits for messages is decided before it is first imported, whoever is imported first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import importlib, os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            print(os.environ.get("GRPC_EXPERIMENTS"))

sys.meta_path.insert(0, Watch())
importlib.import_module(sys.argv[1])
assert "grpc" in sys.modules
print(os.environ.get("GRPC_EXPERIMENTS"))
"""
FIRST = (
    "sardonyx.serve.server",
    "sardonyx.serve.tls",
    "sardonyx.serve.rpc.listener",
    "sardonyx.serve.rpc.servicer",
    "sardonyx.gateway.run",
)


def told(module: str, **environment: str) -> list[str]:
    """What the variable says when gRPC is imported, and after all is."""
    known = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    command = [sys.executable, "-c", PROGRAM, module]
    ended = subprocess.run(
        command, env={**known, **environment}, capture_output=True, text=True, check=True, timeout=120
    )
    return ended.stdout.split()


@pytest.mark.parametrize("module", FIRST)
def test_listens_in_the_thread_that_waits(module: str) -> None:
    """Processes that are started later are told nothing."""
    assert told(module) == ["-event_engine_listener", "None"]


def test_the_environment_comes_first() -> None:
    """Who chose experiments has them."""
    assert told("sardonyx.serve.server", GRPC_EXPERIMENTS="tcp_rcv_lowat") == ["tcp_rcv_lowat"] * 2


def test_grpc_knows_what_it_is_told() -> None:
    """An experiment that is gone would be logged at every start."""
    program = (
        "import sardonyx.serve.rpc, grpc.aio, asyncio\nasync def f(): grpc.aio.server()\nasyncio.run(f())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "Unknown experiment" not in ended.stderr
