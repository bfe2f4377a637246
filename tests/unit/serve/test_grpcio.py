"""How gRPC's library waits for messages is decided before it is first imported, whoever is imported first."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import importlib, json, os, sys
import httpx, numpy, onnx, sqlalchemy.orm, starlette.applications, uvicorn

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            told.append(os.environ.get("GRPC_EXPERIMENTS"))

assert "grpc" not in sys.modules and "sardonyx" not in sys.modules
sys.meta_path.insert(0, Watch())
for module, chosen in json.loads(sys.argv[1]):
    told = []
    if os.fork() == 0:
        os.environ.update(chosen)
        importlib.import_module(module)
        assert "grpc" in sys.modules
        told.append(os.environ.get("GRPC_EXPERIMENTS"))
        print(json.dumps(told), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
FIRST = (
    "sardonyx.serve.server",
    "sardonyx.serve.tls",
    "sardonyx.serve.rpc.listener",
    "sardonyx.serve.rpc.servicer",
    "sardonyx.gateway.run",
)


def told(*asked: tuple[str, dict[str, str]]) -> list[list[str | None]]:
    """What the variable says when gRPC is imported, and after all is, by modules in processes of their own.

    What others than this package import is imported before the processes part: that is most of their time.
    """
    known = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    command = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    ended = subprocess.run(command, env=known, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_listens_in_the_thread_that_waits_unless_others_were_chosen() -> None:
    """Processes that are started later are told nothing; who chose experiments has them."""
    *unasked, chosen = told(
        *((module, {}) for module in FIRST), ("sardonyx.serve.server", {"GRPC_EXPERIMENTS": "tcp_rcv_lowat"})
    )
    assert unasked == [["-event_engine_listener", None]] * len(FIRST)
    assert chosen == ["tcp_rcv_lowat"] * 2


def test_grpc_knows_what_it_is_told() -> None:
    """An experiment that is gone would be logged at every start."""
    program = (
        "import sardonyx.serve.rpc, grpc.aio, asyncio\nasync def f(): grpc.aio.server()\nasyncio.run(f())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "Unknown experiment" not in ended.stderr
