"""Load over HTTP: prepared bytes over a few kept connections, by plain sockets, so that the client is cheap.

    python load.py PORT CONNECTIONS SECONDS [RATE] < request

Each connection asks again when it has its answer, or all together RATE times a second. Prints one JSON
object: requests, seconds, the median and the 99th percentile of the time that one took, in microseconds. An
answer other than 200 ends it.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_GRAIN_S = 0.001
"""A wait of the operating system is no finer; the rest is spent asking what has come."""


@dataclass
class Connection:
    """A kept connection with one request on its way."""

    socket: socket.socket
    sent_ns: int = 0
    left: int = -1
    head: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes) -> None:
        """Send the request."""
        self.sent_ns = time.perf_counter_ns()
        self.socket.setblocking(True)
        self.socket.sendall(request)
        self.left = -1
        self.head.clear()

    def read(self) -> bool:
        """Read what is there; whether the answer is complete."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise SystemExit("the server closed the connection")
        if self.left < 0:
            self.head += part
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            if not self.head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(self.head[:400].decode("latin-1"))
            match = _LENGTH.search(self.head, 0, end)
            if match is None:  # in chunks
                return self.head.endswith(_LAST_CHUNK)
            self.left = int(match[1]) - (len(self.head) - end - 4)
        else:
            self.left -= len(part)
        return self.left == 0


def connect(port: int) -> Connection:
    """A new connection."""
    made = socket.create_connection(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(made)


def ask_for(
    connections: Sequence[Connection], request: bytes, seconds: float, rate: float
) -> tuple[array[int], float]:
    """The nanoseconds that each request took, and the seconds of them all; rate 0 = as many as go."""
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    idle, took = deque(connections), array("Q")
    pause_ns = 1e9 / rate if rate else 0.0
    began = now = time.perf_counter_ns()
    due, end = float(began), began + int(seconds * 1e9)
    while now < end:
        while idle and due <= now:
            idle.popleft().ask(request)
            due += pause_ns
        patience_s = max(0.0, (due - now) / 1e9 - _GRAIN_S) if idle else 10.0
        for key, _ in selector.select(patience_s):
            answered: Connection = key.data
            if answered.read():
                took.append(time.perf_counter_ns() - answered.sent_ns)
                idle.append(answered)
        now = time.perf_counter_ns()
    return took, (now - began) / 1e9


def main() -> None:
    """Ask again and again, and print what it took."""
    port, connections, seconds, *rate = map(float, sys.argv[1:])
    request = sys.stdin.buffer.read()
    lines = [connect(int(port)) for _ in range(int(connections))]
    took, elapsed = ask_for(lines, request, seconds, *rate or [0.0])
    median, late = np.quantile(np.frombuffer(took, np.uint64), (0.5, 0.99)) / 1e3
    print(json.dumps({"requests": len(took), "seconds": elapsed, "median_us": median, "p99_us": late}))


if __name__ == "__main__":
    main()
