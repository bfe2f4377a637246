"""Runs many cases in worker processes and sums up by operator; a case that kills its worker is a result too.

python -m tests.conformance.run [--target native] [--jobs 2] [--quick] [pattern ...]
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import json
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from tests.conformance.cases import load_cases, quick_names, run_case
from tests.conformance.ignored import ignored
from tests.conformance.targets import TARGETS, YARDSTICKS

CASE_SECONDS = 30


def main() -> int:
    """Print what fails and a table by operator; the exit status is 1 if anything not ignored fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", nargs="*", help="run cases whose name or operator contains one of these")
    parser.add_argument("--target", default="native", choices=[*TARGETS, *YARDSTICKS])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one case of each operator")
    parser.add_argument("--passing", action="store_true", help="name the passing cases too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.target)
    started = time.perf_counter()
    names = list(select(options.patterns, options.quick))
    results: dict[str, str | None] = {}
    lanes = [
        threading.Thread(target=drive, args=(options.target, names[lane :: options.jobs], results))
        for lane in range(options.jobs)
    ]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    return summarise(results, options.target, options.passing, time.perf_counter() - started)


def select(patterns: list[str], quick: bool) -> Iterator[str]:
    """Names of the cases that match."""
    wanted = [pattern.lower() for pattern in patterns]
    for case in load_cases().values():
        text = f"{case.name} {' '.join(case.operators)}".lower()
        if (not wanted or any(pattern in text for pattern in wanted)) and (
            not quick or case.name in quick_names()
        ):
            yield case.name


def work(target: str) -> int:
    """Worker: read pickled cases from stdin, write one JSON line per result."""
    run = {**TARGETS, **YARDSTICKS}[target]
    for line in sys.stdin:
        case = pickle.loads(base64.b64decode(line))
        try:
            wrong = run_case(case, run)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        print(json.dumps([case.name, wrong]), flush=True)
    return 0


def drive(target: str, names: list[str], results: dict[str, str | None]) -> None:
    """Feed one worker at a time; start the next after one that died."""
    todo = collections.deque(names)
    while todo:
        command = [sys.executable, "-m", "tests.conformance.run", "--worker", "--target", target]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            while todo:
                name = todo.popleft()
                watch = threading.Timer(CASE_SECONDS, worker.kill)
                watch.start()
                answer = ""
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.write(base64.b64encode(pickle.dumps(load_cases()[name])).decode() + "\n")
                    worker.stdin.flush()
                    answer = next((line for line in worker.stdout if line.startswith('["test_')), "")
                watch.cancel()
                if not answer:
                    results[name] = f"the process died with {worker.wait()}"
                    break
                results[name] = json.loads(answer)[1]


def summarise(results: dict[str, str | None], target: str, passing: bool, seconds: float) -> int:
    """Print failures, then passed / all by operator where not all pass."""
    known = ignored(target) if target in TARGETS else {}
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    unexpected = 0
    for name, wrong in results.items():
        count = counts[load_cases()[name].operators[0]]
        count[0] += wrong is None
        count[1] += 1
        if wrong is not None:
            mark = "ignored" if name in known else "FAIL"
            unexpected += name not in known
            print(f"{mark} {name}: {' '.join(wrong.split())[:300]}")
        elif passing:
            print(f"ok {name}")
    print()
    for operator, (good, total) in sorted(counts.items()):
        if good < total:
            print(f"{operator:32} {good} of {total}")
    good = sum(wrong is None for wrong in results.values())
    print(f"{good} of {len(results)} cases pass on {target}, {unexpected} fail unexpectedly, {seconds:.0f} s")
    return int(unexpected > 0)


if __name__ == "__main__":
    sys.exit(main())
