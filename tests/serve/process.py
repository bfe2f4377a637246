"""`sardonyx serve` as a process of its own, which a test may kill; and acts that are done without a pause."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_READY_S = 60


class Served:
    """A running server: where it answers, and its process."""

    def __init__(self, arguments: tuple[str, ...], log: Path) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "sardonyx",
                    "serve",
                    "--http-port",
                    "0",
                    "--grpc-port",
                    "0",
                    *arguments,
                ],
                stdout=stream,
                stderr=stream,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        began, text = time.monotonic(), ""
        while not (found := re.findall(r"^ready (http\S+) grpc://(\S+)", text, re.MULTILINE)):
            assert self.process.poll() is None, text
            assert time.monotonic() < began + _READY_S, text
            time.sleep(0.02)
            text = log.read_text()
        self.url, self.grpc = found[-1]

    def kill(self) -> None:
        """End it as a fault of the machine would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def resident_bytes(self) -> int:
        """What the process holds of the machine's memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def client(self) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, trust_env=False, verify=False, timeout=60)


@contextmanager
def served(*arguments: str | Path, log: Path) -> Iterator[Served]:
    """A server while the block lasts, unless the block ends it; what it says goes to `log`, which is new."""
    log.unlink(missing_ok=True)
    server = Served(tuple(map(str, arguments)), log)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
        try:
            server.process.wait(40)
        finally:
            server.process.kill()


@contextmanager
def repeated(act: Callable[[], object], threads: int = 1) -> Iterator[list[object]]:
    """`act` again and again while the block lasts; the list gets what it returns, or what it raised last."""
    seen: list[object] = []
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.is_set():
                seen.append(act())
        except Exception as error:
            seen.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        ended.set()
        for worker in workers:
            worker.join()
