"""Measure how long a first answer takes, as whole processes beside onnxruntime; write docs/performance.md.

    python benchmarks/start.py [--write] [--rounds 5] [NAME ...]

A process imports the engine, makes a session, runs it once and ends. Engines and states of the cache take
turns, `rounds` times (less for large models); the figure is the median. The cache is empty, or was filled by
other models, or by the model itself. A first turn, which does not count, brings the files into memory.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import built_models
import machines
import numpy as np
import start_models
from tables import PERFORMANCE, RESULTS, ROOT, line_of, rewrite

from sardonyx import zoo
from sardonyx.base.knobs import EFFORT
from sardonyx.tools import bench


def bert_base(path: Path) -> dict[str, Any]:
    """Write the model; a feed of one sentence of 32 tokens."""
    built_models.bert(path)
    return built_models.bert_feeds(32)


MARKS = ("<!-- start:start -->", "<!-- start:end -->")
PROCESS = """
import pickle, sys
feeds = pickle.load(open(sys.argv[2], "rb"))
import {engine} as engine
options = engine.SessionOptions()
options.log_severity_level = 3
engine.InferenceSession(sys.argv[1], options).run(None, feeds)
print(open("/proc/self/status").read())
"""
OTHERS = ("mtcnn_pnet", "mtcnn_onet", "ppocrv2_cls", "ppocrv4_det", "silero_vad_16k_op15", "minilm_l3_fp32")
SMALL = ("mnist_cntk", "mtcnn_rnet", "silero_vad_v6", "espcn_subpixel", "light_squeezenet", "ppocrv4_rec")
LARGE = ("light_resnet50", "bert_base", "lightgbm")
SEEDED = {"bert_base": bert_base, "lightgbm": start_models.lightgbm}
LARGE_ROUNDS = 3
SHARES = {"empty": 4.0, "others": 3.0, "own": 1.0}
"""The most that a start may take, as a share of onnxruntime's: with an empty cache, a cache that other models
filled, and one that the model itself filled."""
LEAST_SECONDS = {"empty": 1.0}
MEMORY_SHARE = 8
"""The most that a start takes of memory, the files that it writes included, as a share of its model."""
OTHER_SHARES = {("lightgbm", "others"): 1.0, ("mnist_cntk", "own"): 1.2}


@dataclass(slots=True)
class Row:
    """One model: seconds of each process by the clock and of processors, and its peak memory, by state."""

    model: str
    size_bytes: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    processor_seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)

    def median(self, state: str) -> float:
        """The middle of the processes in that state of the cache; "peer" is onnxruntime."""
        return statistics.median(self.seconds[state])

    def work(self, state: str) -> float:
        """Processor time as a share of onnxruntime's, which other load on the machine disturbs less."""
        ours, theirs = (statistics.median(self.processor_seconds[s]) for s in (state, "peer"))
        return ours / theirs

    def note(self, state: str, seconds: float, processor_seconds: float, peak_bytes: int) -> None:
        """Add a process."""
        self.seconds.setdefault(state, []).append(seconds)
        self.processor_seconds.setdefault(state, []).append(processor_seconds)
        self.peak_bytes[state] = max(peak_bytes, self.peak_bytes.get(state, 0))

    def limit(self, state: str) -> float | None:
        """The most seconds a start in that state may take; None if nothing is asked of it."""
        if state == "empty" and self.model != "mnist_cntk":
            return None
        share = OTHER_SHARES.get((self.model, state), SHARES[state])
        return max(share * self.median("peer"), LEAST_SECONDS.get(state, 0))


def main() -> int:
    """Measure and write; the exit status is 1 if a start takes longer than it may."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", default=[*SMALL, *LARGE], help="models (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="rewrite the table of docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sardonyx-start-") as name:
        rows = list(measured(options.names, Path(name), options.rounds))
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"start-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    lines = [{**asdict(row), "machine": bench.machine()} for row in rows]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"results in {file.relative_to(ROOT)}\n\n{table(rows)}")
    if options.write:
        rewrite(PERFORMANCE, table(rows), MARKS)
    return int(any(is_late(row, state) for row in rows for state in SHARES))


def measured(names: Iterable[str], folder: Path, rounds: int) -> Iterable[Row]:
    """A row for each model, printed as it is found."""
    filled = folder / "filled"
    for path in zoo.fetch(list(OTHERS)).values():
        start("sardonyx", path, stored(zoo.feeds(path.stem), folder), filled)
    for name in names:
        path, feeds = model(name, folder)
        row = Row(name, path.stat().st_size)
        own, turns = folder / "own", folder / "turns"
        start("sardonyx", path, feeds, own)
        start("onnxruntime", path, feeds, None)
        for n in range(LARGE_ROUNDS if name in LARGE else rounds):
            empty, others = turns / f"empty-{n}", turns / f"others-{n}"
            shutil.copytree(filled, others)
            row.note("peer", *start("onnxruntime", path, feeds, None))
            row.note("own", *start("sardonyx", path, feeds, own))
            row.note("empty", *start("sardonyx", path, feeds, empty))
            row.note("others", *start("sardonyx", path, feeds, others))
            if name in LARGE:  # or the disk would still write gigabytes in the next turn
                shutil.rmtree(turns)
        # Small ones not between turns: where files were just removed, ext4 is slow to make new ones.
        shutil.rmtree(own)
        shutil.rmtree(turns, ignore_errors=True)
        if name in SEEDED:
            path.unlink()
        work = "  processor time " + " ".join(f"{row.work(state):.2f}x" for state in SHARES)
        print(*(f"{c:20}" if n == 0 else f"{c:>22}" for n, c in enumerate(cells(row))), work, flush=True)
        yield row


def model(name: str, folder: Path) -> tuple[Path, Path]:
    """The file of a model and one with its feeds."""
    if name in SEEDED:
        path = folder / f"{name}.onnx"
        return path, stored(SEEDED[name](path), folder)
    path = zoo.fetch([name])[name]
    return path, stored(zoo.feeds(name), folder)


def stored(feeds: Mapping[str, Any], folder: Path) -> Path:
    """A file with the feeds."""
    file = folder / "feeds.pickle"
    file.write_bytes(pickle.dumps(dict(feeds)))
    return file


def start(engine: str, path: Path, feeds: Path, cache: Path | None) -> tuple[float, float, int]:
    """Seconds of a process that gets a first answer, by the clock and of processors, and its peak memory."""
    variables = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "SARDONYX_CACHE": str(cache or "off")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    variables.pop(EFFORT.env, None)
    command = [sys.executable, "-c", PROCESS.format(engine=engine), str(path), str(feeds)]
    os.sync()  # or what the one before wrote would still be written to the disk, at the cost of this one
    touch_memory(MEMORY_SHARE * path.stat().st_size)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise bench.BenchError(f"{engine} cannot run {path.name}: exit status {done.returncode}")
    peak = next(line for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, work, int(peak.split()[1]) * 1024


def touch_memory(size_bytes: int) -> None:
    """Touch so much memory and let it go.

    The host of a virtual machine gives it memory when that is touched, slowly, and takes back what is free: a
    process that follows one that let go of a lot would take a third of the time of others.
    """
    np.ones(size_bytes, np.uint8)


def is_late(row: Row, state: str) -> bool:
    """Whether starts in that state of the cache take longer than they may."""
    limit = row.limit(state)
    return limit is not None and row.median(state) > limit


def table(rows: Iterable[Row]) -> str:
    """The figures as Markdown."""
    what = (
        "What a new process takes to import, make a session and run it once, on "
        f"{machines.in_words(machines.kind())}; `!` is more than is aimed at."
    )
    head = ["seconds (peak MB)", "onnxruntime"]
    head += ["empty cache", "filled by other models", "filled by this model"]
    lines = [what, "", line_of(head), line_of(["---", *["---:"] * (len(head) - 1)])]
    return "\n".join([*lines, *(line_of(cells(row)) for row in rows)]) + "\n"


def cells(row: Row) -> list[str]:
    """The model, the peer's seconds, and ours with their share of the peer's; a late start is marked."""
    peer = row.median("peer")
    found = [row.model, f"{peer:.2f} ({row.peak_bytes['peer'] / 1e6:.0f})"]
    for state in SHARES:
        seconds, peak = row.median(state), row.peak_bytes[state] / 1e6
        late = " !" if is_late(row, state) else ""
        found.append(f"{seconds:.2f} ({peak:.0f}) {seconds / peer:.2f}x{late}")
    return found


if __name__ == "__main__":
    sys.exit(main())
