"""Whether a server holds four fifths of what it can at most, for as long as one likes.

    python benchmarks/sustained.py [--seconds 600] [--case small]

The server has one core and the client another, so it wants a machine of two that does nothing else. Measures
the most, then asks for 0.8 of it. Prints a verdict, and ends with 0 if it is held: every answer is 200 (any
other ends the run), as many as were wanted, and the server's memory stays.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import serve
from serving.processes import Load, Running, http_load, resident_mib

SHARE, ANSWERED, GROWTH_MIB = 0.8, 0.99, 4.0
CASES = {
    "small": lambda: serve.binary("simple", INPUT0=serve.SMALL, INPUT1=serve.SMALL),
    "json": lambda: serve.in_json("line", x=serve.NUMBERS),
    "image": lambda: serve.binary("image", x=serve.IMAGE),
    "encoder": lambda: serve.encoding(serve.THREE_LAYERS.name, *serve.BATCHED["16 tokens"]),
}


@dataclass(frozen=True)
class Held:
    """What one long load gave; rates are requests a second, memory is of the server in MiB, as time goes."""

    most: float
    wanted: float
    seconds: float
    load: Load
    memory: Sequence[float]

    @property
    def growth(self) -> float:
        """How much more memory the last tenth of the time took than the first, in MiB."""
        tenth = max(1, len(self.memory) // 10)
        return statistics.fmean(self.memory[-tenth:]) - statistics.fmean(self.memory[:tenth])

    def faults(self) -> list[str]:
        """Why it was not held; [] if it was."""
        found = []
        if self.load.per_second < ANSWERED * self.wanted:
            found.append(
                f"{self.load.per_second / self.wanted:.0%} of the wanted requests were answered in time"
            )
        if self.growth > GROWTH_MIB:
            found.append(f"memory grew by {self.growth:.1f} MiB, at most {GROWTH_MIB:g} may be noise")
        return found

    def text(self) -> str:
        """The figures."""
        load = self.load
        rate = (
            f"{load.per_second:,.0f} a second of {self.wanted:,.0f} wanted, {SHARE:.0%} of {self.most:,.0f}"
        )
        times = f"median {load.median_us:.0f} us, p99 {load.p99_us:.0f} us"
        memory = f"memory {self.memory[0]:.1f} MiB, {self.growth:+.2f}"
        count = (
            f"{load.per_second * self.seconds:,.0f} requests in {self.seconds:.0f} s, all answered with 200"
        )
        return f"{count}: {rate}; {times}; {memory}"


def hold(running: Running, request: bytes, seconds: float, connections: int = serve.CONNECTIONS) -> Held:
    """Measure the most, and ask for 0.8 of it."""

    def ask(lasting: float, rate: float = 0.0) -> Load:
        return http_load(running, request, connections, lasting, serve.CLIENT_CORE, rate)

    most = statistics.median(ask(min(3.0, seconds)).per_second for _ in range(3))
    wanted = SHARE * most
    ask(min(10.0, seconds), wanted)
    memory, ended = [resident_mib(running)], threading.Event()

    def watch() -> None:
        while not ended.wait(min(1.0, seconds / 20)):
            memory.append(resident_mib(running))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        load = ask(seconds, wanted)
    finally:
        ended.set()
        watching.join()
    return Held(most, wanted, seconds, load, memory)


def main() -> int:
    """Start a server, load it, and say whether it held."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--case", choices=list(CASES), default="small")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        for name, text in serve.MODELS.items():
            serve.save(text, models / f"{name}.onnx")
        if options.case == "encoder":
            serve.save_encoder(serve.THREE_LAYERS, models)
        with serve.sardonyx_server(models) as running:
            try:
                held = hold(running, CASES[options.case](), options.seconds)
            except subprocess.CalledProcessError as error:
                print(f"not held: {error.stderr.decode().strip()}")
                return 1
    faults = held.faults()
    print(held.text())
    print("held" if not faults else f"not held: {'; '.join(faults)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
