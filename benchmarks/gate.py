"""Hold each kernel family to the speed that is recorded for this kind of machine, beside onnxruntime.

    python benchmarks/gate.py [--write] [--seconds 2] [FAMILY ...]

Engines take turns in one process, on one thread; what counts is processor time, and of that the least, so
that what else runs on the machine hardly matters. A family that falls below its record is measured again
before it is a failure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import machines
import onnxruntime
from families import FAMILIES, Case

import sardonyx
from sardonyx.base.knobs import EFFORT
from sardonyx.tools.bench import InTurn, each
from sardonyx.tools.bench_worker import processor_ns, repeats_of

RECORDS = Path(__file__).with_name("records.json")
TRIES = 3
LEAST_NOISE = 0.05
"""What two runs on a quiet machine may differ by."""
PARTS = 4
"""Parts of a measurement whose ratios are compared to know its noise."""
TURN_NS = 4_000_000

Records = dict[str, dict[str, Any]]
"""By kind of machine: the peer's version, and by family its ratio and its noise."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster than the peer, and by which share of that it may be off."""

    value: float
    noise: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a family, and whether it is a failure."""

    text: str
    failed: bool = False


def main() -> int:
    """Measure, compare or record; the exit status is 1 if a family fell below its record."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="FAMILY", help="families (default: all)")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each family and try")
    parser.add_argument("--write", action="store_true", help="record what is measured, better or worse")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(FAMILIES)):
        parser.error(f"no family {', '.join(unknown)}; there are: {', '.join(FAMILIES)}")
    if options.write and (restriction := machines.restriction()):
        parser.error(f"--write keeps figures of whole machines; this one is held to {restriction}")
    records, kind = read(RECORDS), machines.kind()
    print(f"{kind}, beside onnxruntime {onnxruntime.__version__}")
    failed, found = False, dict[str, Ratio]()
    for name in options.names or FAMILIES:
        case = FAMILIES[name]()
        record = recorded(records, kind, onnxruntime.__version__, name)
        ratio, verdict = held(partial(measured, case, options.seconds), None if options.write else record)
        found[name] = ratio
        failed |= verdict.failed
        print(f"{name:26} {ratio.value:6.2f}x +-{ratio.noise:4.0%}  {verdict.text}", flush=True)
    if options.write:
        RECORDS.write_text(text(written(records, kind, onnxruntime.__version__, found)), encoding="utf-8")
    return int(failed)


def held(measure: Callable[[], Ratio], record: Ratio | None) -> tuple[Ratio, Verdict]:
    """The best of some measurements, which end with the first that is good enough."""
    best = measure()
    for _ in range(TRIES - 1):
        if not judged(best, record).failed:
            break
        best = max(best, measure(), key=lambda ratio: ratio.value)
    return best, judged(best, record)


def judged(ratio: Ratio, record: Ratio | None) -> Verdict:
    """Whether a ratio is below its record by more than both may be off."""
    if record is None:
        return Verdict("nothing to compare it with")
    noise = max(LEAST_NOISE, ratio.noise + record.noise)
    change = ratio.value / record.value - 1
    if change < -noise:
        return Verdict(f"SLOWER by {-change:.0%}: {record.value:.2f}x is recorded", failed=True)
    return Verdict(f"recorded {record.value:.2f}x" + (", better: --write keeps it" if change > noise else ""))


def measured(case: Case, seconds: float) -> Ratio:
    """Both engines in turns."""
    model, feeds = case
    runs = [runner(engine, model, feeds) for engine in (sardonyx, onnxruntime)]
    repeats = [repeats_of(run, TURN_NS) for run in runs]
    times: list[list[float]] = [[], []]
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times[0]) < 2 * PARTS:
        for own, run, count in zip(times, runs, repeats, strict=True):
            own.append(processor_ns(run, count) / count)
    return ratio_of(*times)


def ratio_of(ours: Sequence[float], peers: Sequence[float]) -> Ratio:
    """The ratio of the least times; its noise is the spread of those of some parts of the measurement."""
    parts = [min(peers[n::PARTS]) / min(ours[n::PARTS]) for n in range(PARTS)]
    middle = statistics.median(parts)
    return Ratio(min(peers) / min(ours), (max(parts) - min(parts)) / 2 / middle)


def runner(engine: Any, model: bytes, feeds: InTurn) -> Callable[[], Any]:
    """Runs a model, with the next of the feeds each time."""
    options = engine.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.add_session_config_entry(EFFORT.entry, "full")
    session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    turns = itertools.cycle(each(feeds))
    return lambda: session.run(None, next(turns))


def read(path: Path) -> Records:
    """The records of a file; none if there is no file."""
    found: Records = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def recorded(records: Records, kind: str, version: str, family: str) -> Ratio | None:
    """The record of a family; None if there is none beside this version of the peer."""
    known = records.get(kind, {})
    row = known.get("families", {}).get(family) if known.get("onnxruntime") == version else None
    return Ratio(*row) if row else None


def written(records: Records, kind: str, version: str, found: Mapping[str, Ratio]) -> Records:
    """The records with those of one kind of machine replaced; what another version was beside is dropped."""
    known = records.get(kind, {})
    kept = known.get("families", {}) if known.get("onnxruntime") == version else {}
    rows = {name: [round(ratio.value, 3), round(ratio.noise, 3)] for name, ratio in found.items()}
    return {**records, kind: {"onnxruntime": version, "families": {**kept, **rows}}}


def text(records: Records) -> str:
    """Records as they are stored: a line a family."""
    lines = []
    for kind, known in sorted(records.items()):
        rows = [
            f"      {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(known["families"].items())
        ]
        head = f'    "onnxruntime": {json.dumps(known["onnxruntime"])},\n    "families": {{\n'
        lines.append(f"  {json.dumps(kind)}: {{\n{head}" + ",\n".join(rows) + "\n    }\n  }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
