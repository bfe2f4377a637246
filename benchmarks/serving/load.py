"""Load over HTTP: prepared bytes over a few kept connections, by plain sockets, so that the client is cheap.

    python load.py PORT CONNECTIONS SECONDS < request

Prints one JSON object: requests, seconds, the median and the 99th percentile of the time that one took, in
microseconds. An answer other than 200 ends it.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import statistics
import sys
import time
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


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


def main() -> None:
    """Ask again and again, and print what it took."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    request = sys.stdin.buffer.read()
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = Connection(socket.create_connection(("127.0.0.1", port)))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(request)
    took: list[int] = []
    began = time.perf_counter_ns()
    end = began + int(seconds * 1e9)
    now = began
    while now < end:
        for key, _ in selector.select(10):
            answered: Connection = key.data
            if answered.read():
                now = time.perf_counter_ns()
                took.append(now - answered.sent_ns)
                answered.ask(request)
    elapsed = (now - began) / 1e9
    took.sort()
    print(
        json.dumps(
            {
                "requests": len(took),
                "seconds": elapsed,
                "median_us": statistics.median(took) / 1e3,
                "p99_us": took[int(len(took) * 0.99)] / 1e3,
            }
        )
    )


if __name__ == "__main__":
    main()
