"""The child process of a benchmark: holds one session of one engine and does what its parent says.

Started as `python -m sardonyx.tools.bench_worker ENGINE`. Reads one JSON command a line, answers one JSON
line. Imports nothing but the engine and numpy, so that its memory is the engine's.

Commands: {"do": "open", "model": PATH, "threads": N, "feeds": PICKLE}, {"do": "block", "seconds": S,
"processor": BOOL}, {"do": "outputs", "to": PICKLE}. The file of feeds holds a list, of which each run takes
the next; outputs are those of all of them.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LEAST_RUNS = 3
WARM_UP_SHARE = 0.1
LEAST_SAMPLE_NS = 100_000
"""Of processor time: asking for it takes a tenth of what the shortest runs do."""
ERRORS_ONLY = 3
PR_SET_PDEATHSIG = 1
ADAPTERS = {"openvino": "sardonyx.tools.openvino_peer"}
"""Modules that give engines without onnxruntime's API that API."""


class Worker:
    """One engine module, at most one session."""

    def __init__(self, engine: str) -> None:
        started = time.perf_counter()
        self.engine: Any = importlib.import_module(ADAPTERS.get(engine, engine))
        if not hasattr(self.engine, "InferenceSession"):
            raise TypeError(
                f"the module {engine} is no engine: it has no InferenceSession as onnxruntime has"
            )
        self.make_session = self.engine.InferenceSession
        self.import_ms = 1e3 * (time.perf_counter() - started)
        self.session: Any = None
        self.feeds: list[dict[str, Any]] = []
        self.turns: Iterator[dict[str, Any]] = iter(())

    def open(self, command: dict[str, Any]) -> dict[str, Any]:
        """Create the session and run it once."""
        self.feeds = pickle.loads(Path(command["feeds"]).read_bytes())
        self.turns = itertools.cycle(self.feeds)
        options = self.engine.SessionOptions()
        options.intra_op_num_threads = command["threads"]
        options.log_severity_level = ERRORS_ONLY
        empty_bytes = peak_bytes()
        started = time.perf_counter()
        self.session = self.make_session(command["model"], options)
        opened = time.perf_counter()
        self.session.run(None, self.feeds[0])
        return {
            "version": self.engine.__version__,
            "import_ms": self.import_ms,
            "open_ms": 1e3 * (opened - started),
            "first_run_ms": 1e3 * (time.perf_counter() - opened),
            "empty_bytes": empty_bytes,
            "peak_bytes": peak_bytes(),
        }

    def block(self, command: dict[str, Any]) -> dict[str, Any]:
        """Run for some seconds; microseconds of each run after the first tenth, which warms the caches.

        By the clock, or of `processor` time: then a time is the mean of some runs where these are short.
        """
        run, turns, clock = self.session.run, self.turns, time.perf_counter_ns
        timer, repeats = clock, 1
        end = clock() + int(command["seconds"] * 1e9)
        if command["processor"]:
            timer = time.process_time_ns
            repeats = repeats_of(lambda: run(None, next(turns)), LEAST_SAMPLE_NS)
        times: list[float] = []
        while clock() < end or len(times) < LEAST_RUNS:
            started = timer()
            for _ in range(repeats):
                run(None, next(turns))
            times.append((timer() - started) / 1e3 / repeats)
        return {"times_us": times[max(1, int(len(times) * WARM_UP_SHARE)) :]}

    def outputs(self, command: dict[str, Any]) -> dict[str, Any]:
        """Run once on each of the feeds and write the outputs to a file."""
        outputs = [output for feeds in self.feeds for output in self.session.run(None, feeds)]
        Path(command["to"]).write_bytes(pickle.dumps(outputs))
        return {}


def repeats_of(run: Callable[[], Any], sample_ns: int) -> int:
    """How many runs take so many nanoseconds of processor time, by a clock that may tick more seldom."""
    repeats = 1
    while (taken := processor_ns(run, repeats)) < sample_ns // 4:
        repeats *= 2
    return max(1, repeats * sample_ns // taken)


def processor_ns(run: Callable[[], Any], repeats: int) -> int:
    """Nanoseconds of processor time of some runs together."""
    started = time.process_time_ns()
    for _ in range(repeats):
        run()
    return time.process_time_ns() - started


def peak_bytes() -> int:
    """The largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def end_with_parent() -> None:
    """Have Linux end this process with its parent: while it is stopped it does not see the end of stdin."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Answer commands until stdin ends."""
    end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            worker = worker or Worker(sys.argv[1])
            answer = getattr(worker, command["do"])(command)
        except ModuleNotFoundError as error:
            answer = {"error": f"{error.name} is not installed; pip install {error.name}"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
