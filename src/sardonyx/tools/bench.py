"""How fast engines run a model, measured side by side; decides the method, prints nothing.

Each engine lives in a process of its own. They take turns in short blocks, and the one whose turn it is not
is stopped by a signal: its idle threads cannot spin beside the other, whose heap and interpreter it does not
share either. Where processes cannot be stopped, a pause between blocks lets idle threads fall asleep. The
figure is the median over all runs of all blocks, without the first tenth of each block.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.base.knobs import EFFORT, TARGET
from sardonyx.base.unfolded import unfolded
from sardonyx.errors import SardonyxError
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession

Feeds = Mapping[str, Any]
InTurn = Feeds | Sequence[Feeds]
"""What a model is fed; of several feeds each run takes the next one, and begins again behind the last."""
ROUNDS, LEAST_ROUNDS = 5, 3
PATIENCE = 4
"""Slow models get fewer rounds once they have taken so many times the seconds that were asked for."""
SETTLE_SECONDS = 0.1
OURS = "sardonyx"
WRONG_DISTANCE = 0.1
"""How far a value may be from the right one, as a share of the largest value of its output.

Right engines are up to 0.05 apart on 8-bit models: a number near a border falls to either side of it.
"""
LARGEST_WRONG_SHARE = 0.01
LARGEST_DISTANCE = 1e-4
"""How far outputs may be apart, as a part of the largest value of each, before they differ."""
LARGEST_DISTANCES = {"fp16": 1e-3, "bf16": 0.1}
"""The same where the model or the run has another precision than float32's."""


class BenchError(SardonyxError):
    """A worker process failed; the message is the engine's."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The runs of one engine: microseconds."""

    engine: str
    version: str
    median_us: float
    fastest_us: float
    slowest_tenth_us: float
    runs: int

    @classmethod
    def of(cls, engine: str, version: str, times_us: Sequence[float]) -> Timing:
        """Sum up the times of single runs."""
        ordered = sorted(times_us)
        tenth = ordered[int(0.9 * (len(ordered) - 1))]
        return cls(engine, version, statistics.median(ordered), ordered[0], tenth, len(ordered))


@dataclass(frozen=True, slots=True)
class Start:
    """What it takes to get a first answer from a fresh process: milliseconds and bytes."""

    engine: str
    cache: str
    import_ms: float
    open_ms: float
    first_run_ms: float
    empty_bytes: int
    peak_bytes: int


@dataclass(slots=True)
class Row:
    """One model at one thread count.

    `apart` is the largest distance between outputs, relative to the largest value of the peer's, and
    `further_apart` the same by name beside each further peer; further than `allowed` they differ. `wrong`,
    one an engine, is the share of output values that are not what was expected, if something was.
    """

    model: str
    threads: int
    timings: list[Timing] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    apart: float | None = None
    wrong: list[float] = field(default_factory=list)
    further_apart: dict[str, float] = field(default_factory=dict)
    allowed: float = LARGEST_DISTANCE

    @property
    def agrees(self) -> bool:
        """Whether there is a peer, and its outputs are ours but for roundings."""
        return self.apart is not None and self.apart <= self.allowed

    @property
    def speed(self) -> float | None:
        """How many times faster than the second engine the first one is."""
        return self.speed_beside(self.timings[1].engine) if len(self.timings) > 1 else None

    def speed_beside(self, engine: str) -> float | None:
        """How many times faster than a peer the first engine is; None if the peer was not measured."""
        peer = next((timing for timing in self.timings[1:] if timing.engine == engine), None)
        return peer.median_us / self.timings[0].median_us if peer else None

    def as_json(self) -> dict[str, Any]:
        """A line of a results file."""
        apart = None if self.apart is None else _told(self.apart)
        further = {engine: _told(distance) for engine, distance in self.further_apart.items()}
        changed = {"apart": apart, "further_apart": further, "speed": self.speed, "machine": machine()}
        return {**asdict(self), **changed}


class Engine:
    """A worker process with one session in it; a context manager that ends it."""

    def __init__(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.facts: dict[str, Any] = {}
        measured = {EFFORT.env: "full", "ORT_DISABLE_TELEMETRY": "1"}
        variables = {**os.environ, **measured, **(environment or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sardonyx.tools.bench_worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            BenchError: the engine raised, or its process died.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.name}: the process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    def open(self, model: Path, threads: int, feeds: Path) -> None:
        """Create the session and run it once; `facts` holds what that took."""
        self.facts = self.ask(do="open", model=str(model), threads=threads, feeds=str(feeds))

    def times_us(self, seconds: float, *, processor: bool = False) -> list[float]:
        """Microseconds of each run of one block, by the clock or of processor time."""
        times: list[float] = self.ask(do="block", seconds=seconds, processor=processor)["times_us"]
        return times

    def pause(self) -> None:
        """Stop the process, threads and all."""
        if hasattr(signal, "SIGSTOP"):
            self.process.send_signal(signal.SIGSTOP)
        else:
            time.sleep(SETTLE_SECONDS)

    def resume(self) -> None:
        """Let the process go on."""
        if hasattr(signal, "SIGCONT"):
            self.process.send_signal(signal.SIGCONT)


def compare(
    model: Path,
    feeds: InTurn,
    *,
    engines: Sequence[str] = (OURS, "onnxruntime"),
    threads: int = 1,
    seconds: float = 1.0,
    name: str = "",
    expected: Sequence[Any] | Callable[[], Sequence[Any]] | None = None,
    processor: bool = False,
    precisions: Sequence[str] = (),
) -> Row:
    """Time engines on the same model and feeds in turns, and compare their outputs.

    Args:
        model: the file of the model.
        feeds: input arrays by name, or several of these that are fed in turn.
        engines: modules with the onnxruntime API; the first is the one under test.
        threads: threads of each engine's operators.
        seconds: how long each engine runs in all; single runs may prolong it.
        name: what the row calls the model; its file's name if empty.
        expected: the right outputs, by which each engine's are judged; a function is asked for them if
            outputs differ.
        processor: time by processors instead of the clock: other work on the machine hardly counts then,
            and neither does waiting.
        precisions: the model's own and that of the run, which decide when outputs differ.

    Raises:
        BenchError: an engine cannot open or run the model.
    """
    row = Row(name or model.stem, threads, allowed=largest_distance(*precisions))
    times: list[list[float]] = [[] for _ in engines]
    with contextlib.ExitStack() as stack, _stored(feeds) as feeds_file:
        opened = []
        for engine_name in engines:
            engine = stack.enter_context(Engine(engine_name))
            engine.open(model, threads, feeds_file)
            row.starts.append(_start(engine, "as found"))
            opened.append(engine)
        results = [_outputs(engine, feeds_file.parent) for engine in opened]
        for engine in opened:
            engine.pause()
        began = time.monotonic()
        for number in range(ROUNDS):
            is_long = time.monotonic() - began > PATIENCE * seconds * len(opened)
            if is_long and number >= LEAST_ROUNDS:
                break
            for engine, log in zip(opened, times, strict=True):
                engine.resume()
                log += engine.times_us(seconds / ROUNDS, processor=processor)
                engine.pause()
        row.timings = [
            Timing.of(engine.name, engine.facts["version"], log)
            for engine, log in zip(opened, times, strict=True)
        ]
    _judge(row, engines, results, expected)
    return row


def _judge(
    row: Row,
    engines: Sequence[str],
    results: Sequence[Sequence[Any]],
    expected: Sequence[Any] | Callable[[], Sequence[Any]] | None,
) -> None:
    """Fill in how far the engines' outputs are apart, and how many are wrong."""
    if len(results) > 1:
        row.apart, *further = (distance(results[0], outputs) for outputs in results[1:])
        row.further_apart = dict(zip(engines[2:], further, strict=True))
    if callable(expected):
        expected = expected() if (row.apart or 0) > row.allowed else None
    if expected is not None:
        row.wrong = [wrong_share(outputs, expected) for outputs in results]


def largest_distance(*precisions: str) -> float:
    """How far outputs may be apart before they differ, by the precisions of the model and of the run."""
    return max(
        (LARGEST_DISTANCES.get(name, LARGEST_DISTANCE) for name in precisions), default=LARGEST_DISTANCE
    )


def distance(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The largest difference between outputs, relative to the largest value of each; infinite if unlike.

    Outputs whose values are all near zero do not differ: they are roundings of larger numbers.
    """
    ours, theirs = unfolded(ours), unfolded(theirs)
    if len(ours) != len(theirs):
        return math.inf
    return max((_apart(a, b) for a, b in zip(ours, theirs, strict=True)), default=0.0)


def wrong_share(outputs: Sequence[Any], expected: Sequence[Any]) -> float:
    """The share of all output values further from the right ones than `WRONG_DISTANCE` of the largest.

    Whole numbers and strings must be equal. Outputs of other shapes or types are wrong as a whole.
    """
    found, right = unfolded(outputs), unfolded(expected)
    if len(found) != len(right):
        return 1.0
    wrong = sum(_wrong(a, b) for a, b in zip(found, right, strict=True))
    return wrong / max(1, sum(value.size for value in right))


def each(feeds: InTurn) -> list[Feeds]:
    """What single runs are fed."""
    return [feeds] if isinstance(feeds, Mapping) else list(feeds)


def exactly(model: Path, feeds: InTurn) -> list[Any]:
    """What numpy makes of a model, whose sums of whole numbers are exact: outputs for each of the feeds."""
    options = SessionOptions()
    options.add_session_config_entry(TARGET.entry, "reference")
    session = InferenceSession(model, options)
    return [output for one in each(feeds) for output in session.run(None, dict(one))]


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product."""
    return math.exp(statistics.fmean(map(math.log, values)))


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code: processor, cores, system, Python."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        processor = next((line.split(": ")[1] for line in lines if line.startswith("model name")), processor)
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _told(distance: float) -> float | str:
    return distance if math.isfinite(distance) else str(distance)


@contextlib.contextmanager
def _stored(feeds: InTurn) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sardonyx-bench-") as folder:
        file = Path(folder) / "feeds.pickle"
        file.write_bytes(pickle.dumps([dict(one) for one in each(feeds)]))
        yield file


def _start(engine: Engine, cache: str) -> Start:
    facts = engine.facts
    return Start(
        engine.name,
        cache,
        *(facts[key] for key in ("import_ms", "open_ms", "first_run_ms", "empty_bytes", "peak_bytes")),
    )


def _outputs(engine: Engine, folder: Path) -> list[Any]:
    file = folder / f"{engine.name}.outputs"
    engine.ask(do="outputs", to=str(file))
    outputs: list[Any] = pickle.loads(file.read_bytes())
    return outputs


def _near_zero(dtype: np.dtype[Any]) -> float:
    """Numbers below this may be what is left of larger ones that cancel each other: 16 roundings of 1."""
    return 16 * float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def _wrong(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> int:
    """How many values of an output are wrong."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return b.size
    if a.dtype.kind != "f":
        return int(np.count_nonzero(a != b))
    x, y = a.astype(np.float64), b.astype(np.float64)
    bound = WRONG_DISTANCE * np.abs(y[np.isfinite(y)]).max(initial=0)
    return x.size - int(np.isclose(x, y, rtol=0, atol=bound, equal_nan=True).sum())


def _apart(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    if a.shape != b.shape or a.dtype != b.dtype:
        return math.inf
    if a.dtype.kind not in "fiub" or a.size == 0:
        return 0.0 if np.array_equal(a, b) else math.inf
    x, y = a.astype(np.float64), b.astype(np.float64)
    if not (np.array_equal(np.isnan(x), np.isnan(y)) and np.array_equal(np.isinf(x), np.isinf(y))):
        return math.inf
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    gap = float(np.abs(np.subtract(x, y, out=np.zeros_like(x), where=~same)).max())
    largest, nothing = float(np.abs(y[np.isfinite(y)]).max(initial=0)), _near_zero(a.dtype)
    if max(gap, largest) <= nothing:
        return 0.0
    return gap / largest if largest else gap
