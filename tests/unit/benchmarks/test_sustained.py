"""A load at a rate keeps to it; what is said of a long one follows from its figures."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from serving.load import ask_for, connect
from serving.processes import Load
from sustained import Held

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answering(listener: socket.socket, answer: bytes) -> None:
    """Answer every message of every connection until it ends."""

    def serve(line: socket.socket) -> None:
        with line, suppress(ConnectionError):
            while line.recv(1000):
                line.sendall(answer)

    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(line,), daemon=True).start()


@pytest.mark.parametrize(
    ("answer", "rate"), [(ANSWER, 200.0), (ANSWER, 0.0), (ANSWER.replace(b"200", b"503"), 0.0)]
)
def test_a_rate_is_kept_and_an_error_ends_the_load(answer: bytes, rate: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answering, args=(listener, answer), daemon=True).start()
        lines = [connect(listener.getsockname()[1]) for _ in range(3)]
        if b"503" in answer:
            with pytest.raises(SystemExit, match="503"):
                ask_for(lines, b"question", 0.2, rate)
        else:
            took, seconds = ask_for(lines, b"question", 0.2, rate)
            assert 0.2 <= seconds < 2
            assert len(took) <= 1 + 200 * seconds if rate else len(took) > 3
            assert min(took) > 0
        for line in lines:
            line.socket.close()


def test_a_verdict_follows_from_rate_and_memory() -> None:
    def held(per_second: float, memory: list[float]) -> Held:
        return Held(1000.0, 800.0, 10.0, Load(per_second, 50.0, 90.0, 30.0), memory)

    assert held(800.0, [100.0] * 20).faults() == []
    assert "80% of 1,000" in held(800.0, [100.0] * 20).text()
    assert held(700.0, [100.0]).faults() == ["88% of the wanted requests were answered in time"]
    (fault,) = held(800.0, [100.0 + n for n in range(20)]).faults()
    assert fault.startswith("memory grew by 18.0 MiB")
