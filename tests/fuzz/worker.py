"""Runs cases and says what became of each; the process may die of one."""

from __future__ import annotations

import collections
import ctypes
import faulthandler
import gc
import os
import resource
import signal
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base.knobs import EFFORT, PRECISIONS, SHORT_WEIGHTS, STRASSEN, WINOGRAD
from sardonyx.runtime import team
from sardonyx.targets.x86_64.isa import TARGETS
from tests.fuzz import case as cases
from tests.fuzz import guard
from tests.fuzz.case import Case
from tests.fuzz.fit_feeds import fitting, resized
from tests.fuzz.judge import Fault, differ, expected, is_random
from tests.fuzz.mutate_feeds import mutated
from tests.fuzz.trips import bounded

_NARROW = 0.1
_OTHER_PRECISION = 0.2
_OTHER_WAY = 0.15
_TURNS = (4, 8, 12)
_RESIZED = 0.4
_LITTLE_WORK, _BARRIER_WORK = team.LITTLE_WORK, team.BARRIER_WORK
_PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a run; a process is forked while they wait."""
quick_part = 0.5
"""Of the cases: in so many, every kernel is compiled quickly."""


def serve(seed: int, numbers: Sequence[int], answers: Connection, memory_bytes: int, log: Path) -> None:
    """In a forked process: run cases, sending the number of each before it and its report after it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's interrupt is for the parent, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    with log.open("w") as errors:
        os.dup2(errors.fileno(), 2)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sardonyx.set_default_logger_severity(4)
    guard.install()
    gc.freeze()
    with tempfile.TemporaryDirectory(dir=log.parent) as folder:
        for number in numbers:
            answers.send(number)
            answers.send(report(seed, number, Path(folder)))


def report(seed: int, number: int, folder: Path) -> dict[str, Any]:
    """What became of one case: how often each outcome, and the faults."""
    case = cases.make(seed, number)
    outcomes: collections.Counter[str] = collections.Counter()
    faults: list[tuple[str, str]] = []
    guard.begin()
    several = number % 8 == 0
    team.LITTLE_WORK, team.BARRIER_WORK = (0, 0) if several else (_LITTLE_WORK, _BARRIER_WORK)
    os.environ[EFFORT.env] = "quick" if case.chance.random() < quick_part else "full"
    try:
        for outcome in run(case, folder / f"{number}"):
            outcomes[outcome] += 1
    except Fault as fault:
        faults.append((fault.place, str(fault)))
    except guard.Overrun as overrun:
        faults.append(("a write beside a buffer", str(overrun)))
    return {
        "number": number,
        "name": case.name,
        "digest": case.digest,
        "outcomes": outcomes,
        "faults": faults,
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def run(case: Case, folder: Path) -> Iterator[str]:
    """The outcome of loading the model and of each run of it. Raises Fault."""
    try:
        session = sardonyx.InferenceSession(_source(case, folder), options_of(case))
    except Exception as error:
        yield f"load: {expected(error)}"
        return
    yield "load: ok"
    feeds = fitting(session, case.feeds, case.chance)
    first: list[Any] = []
    for turn in range(case.chance.choice(_TURNS)):
        guard.WATCH.stain = guard.STAINS[turn % 2]
        fed = _next(session, feeds, turn, case.chance)
        wanted = None
        if turn > 1 and case.chance.random() < 0.1:
            wanted = [case.chance.choice([o.name for o in session.get_outputs()])]
        try:
            fed = {
                name: _guarded(bounded(value) if b"Loop" in case.model else value)
                for name, value in fed.items()
            }
            results = session.run(wanted, fed)
            _touch(results)
        except Exception as error:
            yield f"run: {expected(error)}"
        else:
            yield "run: ok"
            if turn == 0:
                first = results
            elif turn == 1 and first and not is_random(case.model) and (why := differ(first, results)):
                raise Fault(f"memory is read before it is written: {why}", case.name)
        guard.WATCH.check()


def _next(
    session: sardonyx.InferenceSession, feeds: dict[str, Any], turn: int, chance: Random
) -> dict[str, Any]:
    """The same feeds twice, then others: of other sizes that fit, or changed as a caller may do."""
    if turn < 2:
        return feeds
    if chance.random() < _RESIZED:
        return resized(session, feeds, chance)
    return mutated(feeds, chance)


def options_of(case: Case) -> sardonyx.SessionOptions:
    """Some cases run on a narrower machine than this one, in another precision, or by other algorithms."""
    options = sardonyx.SessionOptions()
    if case.chance.random() < _NARROW:
        options.add_session_config_entry("sardonyx.target", TARGETS[-1].name)
    if case.chance.random() < _OTHER_PRECISION:
        options.add_session_config_entry("sardonyx.precision", case.chance.choice(PRECISIONS[1:]))
    for way in (WINOGRAD, STRASSEN, SHORT_WEIGHTS):
        if case.chance.random() < _OTHER_WAY:
            options.add_session_config_entry(way.entry, case.chance.choice(way.choices[1:]))
    return options


def _source(case: Case, folder: Path) -> str | bytes:
    if not case.files:
        return case.model
    folder.mkdir()
    (folder / "model.onnx").write_bytes(case.model)
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    (folder.parent / "weights.bin").write_bytes(bytes(64))
    (folder / "link.bin").symlink_to("/etc/hostname")
    return str(folder / "model.onnx")


def _guarded(value: Any) -> Any:
    plain = isinstance(value, np.ndarray) and value.flags.c_contiguous and value.dtype.isnative
    if plain and value.flags.aligned and value.flags.writeable:
        return guard.guarded_copy(value)
    return value


def _touch(results: list[Any]) -> None:
    """Read every byte of the results."""
    for result in results:
        if isinstance(result, np.ndarray) and not result.dtype.hasobject:
            result.tobytes()
