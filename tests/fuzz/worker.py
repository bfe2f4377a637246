"""Runs cases and says what became of each; the process may die of one."""

from __future__ import annotations

import collections
import faulthandler
import gc
import os
import resource
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base import dtype as dtypes
from sardonyx.runtime import team
from sardonyx.targets.x86_64.isa import TARGETS
from tests.fuzz import case as cases
from tests.fuzz import guard
from tests.fuzz.case import Case
from tests.fuzz.judge import Fault, expected
from tests.fuzz.mutate_feeds import mutated
from tests.fuzz.seeds import drawn
from tests.fuzz.trips import bounded

_NARROW = 0.1
_LITTLE_WORK, _BARRIER_WORK = team.LITTLE_WORK, team.BARRIER_WORK


def serve(seed: int, numbers: Sequence[int], answers: Connection, memory_bytes: int, log: Path) -> None:
    """In a forked process: run cases, sending the number of each before it and its report after it."""
    with log.open("w") as errors:
        os.dup2(errors.fileno(), 2)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sardonyx.set_default_logger_severity(4)
    guard.install()
    with tempfile.TemporaryDirectory() as folder:
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
    try:
        for outcome in run(case, folder / f"{number}"):
            outcomes[outcome] += 1
    except Fault as fault:
        faults.append((fault.place, str(fault)))
    except guard.Overrun as overrun:
        faults.append(("a write beside a buffer", str(overrun)))
    if number % 50 == 0:
        gc.collect()
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
        session = sardonyx.InferenceSession(_source(case, folder), _options(case))
    except Exception as error:
        yield f"load: {expected(error)}"
        return
    yield "load: ok"
    feeds = _fitting(session, case)
    for turn in range(case.chance.choice((2, 3, 4))):
        fed = feeds if turn == 0 else mutated(feeds, case.chance)
        wanted = None
        if turn and case.chance.random() < 0.1:
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
        guard.WATCH.check()


def _options(case: Case) -> sardonyx.SessionOptions:
    """Some cases run on a narrower machine than this one."""
    options = sardonyx.SessionOptions()
    if case.chance.random() < _NARROW:
        options.add_session_config_entry("sardonyx.target", TARGETS[-1].name)
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


def _fitting(session: sardonyx.InferenceSession, case: Case) -> dict[str, Any]:
    """The seed's feeds where they fit what the model declares now, new ones elsewhere."""
    generator = np.random.default_rng(case.chance.randrange(1 << 30))
    feeds: dict[str, Any] = {}
    sizes: dict[Any, int] = {}
    for info in session.get_inputs():
        old, shape, dtype = case.feeds.get(info.name), info.shape, _dtype(info.type)
        if dtype is None or shape is None or _fits(old, dtype, shape):
            feeds[info.name] = old if old is not None else [np.ones(2, np.float32)]
            continue
        numbers = [
            n if isinstance(n, int) else sizes.setdefault(n, case.chance.choice((1, 2, 3, 4, 9)))
            for n in shape
        ]
        if any(n < 0 for n in numbers) or np.prod(numbers, dtype=float) > 1 << 20:
            numbers = [1] * len(numbers)
        feeds[info.name] = drawn(dtype, numbers, generator)
    return feeds


def _fits(old: Any, dtype: Any, shape: Sequence[Any]) -> bool:
    if not isinstance(old, np.ndarray) or old.dtype != dtype or old.ndim != len(shape):
        return False
    return all(n == m or not isinstance(m, int) for n, m in zip(old.shape, shape, strict=True))


_DTYPES = {f"tensor({d.onnx_name})": d.numpy for d in dtypes.ALL}


def _dtype(name: str) -> Any:
    return _DTYPES.get(name)


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
