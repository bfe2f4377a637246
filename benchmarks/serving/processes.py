"""Servers as processes on one core, load from another, and what both took.

CPU time of the server is measured beside the clock: it does not depend on who else uses the machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_SCHEDULED = 2
"""What the clock of another process counts: the nanoseconds that it ran."""
_START_S = 120


@dataclass(frozen=True)
class Load:
    """What one run of a load gave: rates and times of the client, CPU time of the server for a request."""

    per_second: float
    median_us: float
    p99_us: float
    cpu_us: float


@dataclass(frozen=True)
class Running:
    """A server that answers; its ports and the process that does the work."""

    pid: int
    http: int
    grpc: int


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str], http: int, grpc: int, core: int | None, **environment: str
) -> Iterator[Running]:
    """A server while the context lasts; it may use only that core (None: all)."""
    process = subprocess.Popen(
        list(command),
        env={**os.environ, **environment},
        preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_S
        while not _listens(http):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(command[:3])} did not start")
            time.sleep(0.05)
        yield Running(process.pid, http, grpc)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_request(path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def http_load(
    running: Running, request: bytes, connections: int, seconds: float, core: int, rate: float = 0.0
) -> Load:
    """Ask over HTTP, so many times a second or as often as goes, and measure."""
    arguments = [str(HERE / "load.py"), *map(str, (running.http, connections, seconds, rate))]
    return _measured(running, arguments, request, core)


def rpc_load(running: Running, method: str, message: bytes, calls: int, seconds: float, core: int) -> Load:
    """Ask over gRPC, and measure."""
    arguments = [str(HERE / "rpc_load.py"), str(running.grpc), method, str(calls), str(seconds)]
    return _measured(running, arguments, message, core)


def _measured(running: Running, arguments: Sequence[str], given: bytes, core: int) -> Load:
    before = _cpu_seconds(running.pid)
    client = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        capture_output=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=True,
    )
    spent = _cpu_seconds(running.pid) - before
    told: dict[str, Any] = json.loads(client.stdout)
    count = told["requests"]
    return Load(count / told["seconds"], told["median_us"], told["p99_us"], spent / count * 1e6)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, in seconds: what the kernel's own clocks say."""
    return sum(time.clock_gettime(~child << 3 | _SCHEDULED) for child in (pid, *_children(pid)))


def resident_mib(running: Running) -> float:
    """What a server holds of the machine's memory."""
    pages = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "children").read_text().split()
        found += [int(child) for child in text]
    return found
