"""Mutated models and feeds against the engine: every end but a result or a documented error is a fault.

python -m tests.fuzz [--runs 100000] [--seed 0] [--jobs 1] [--first 0] [--quick 0.5]
python -m tests.fuzz --replay SEED:NUMBER     # one case in this process, with its model written out
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("SARDONYX_JOBS", "1")
os.environ.setdefault("SARDONYX_THREADS", "2")
os.environ.setdefault("SARDONYX_SPIN_US", "0")

from tests.fuzz import case, guard, worker
from tests.fuzz.drive import drive
from tests.fuzz.tally import summary, write

_MEMORY = "/dev/shm"
_CACHE_BYTES = 1 << 29
_INTERRUPTED = 130
"""The exit status that shells give for an interrupt."""


def main() -> int:
    """Run, print the counts and the faults; the exit status is 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--quick",
        type=float,
        default=worker.quick_part,
        help="part of the cases with all code compiled quickly",
    )
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="where faults are written")
    parser.add_argument("--replay", metavar="SEED:NUMBER", help="run one case again, in this process")
    options = parser.parse_args()
    worker.quick_part = options.quick
    with tempfile.TemporaryDirectory(dir=_MEMORY if Path(_MEMORY).is_dir() else None) as folder:
        os.environ["SARDONYX_CACHE"] = folder
        Path(folder, "limit").write_text(f"{_CACHE_BYTES}\n")
        if options.replay:
            seed, number = map(int, options.replay.split(":"))
            return replay(seed, number, options.out)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        began = time.monotonic()
        tally = drive(options.seed, options.runs, options.jobs, Path(folder), options.first, options.seconds)
        print(summary(tally, time.monotonic() - began))
        write(tally, options.seed, options.out)
        return _INTERRUPTED if tally.interrupted else int(bool(tally.faults))


def replay(seed: int, number: int, out: Path) -> int:
    """Run one case in this process; write its model to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    model = out / f"{seed}-{number}.onnx"
    made = case.make(seed, number)
    model.write_bytes(made.model)
    print(f"{made.name}; the model is in {model}", flush=True)
    guard.install()
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        report = worker.report(seed, number, Path(folder))
    print(dict(report["outcomes"]))
    for place, text in report["faults"]:
        print(f"{place}\n{text}")
    return int(bool(report["faults"]))


if __name__ == "__main__":
    sys.exit(main())
