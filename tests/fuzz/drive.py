"""Hands cases to worker processes and collects their reports; a worker that dies or hangs is a fault."""

from __future__ import annotations

import importlib
import math
import multiprocessing
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sardonyx import ops
from tests.fuzz import worker
from tests.fuzz.case import make
from tests.fuzz.seeds import seeds
from tests.fuzz.tally import Tally

CASE_SECONDS = 30
"""Of processor time, so that other work on the machine makes no fault."""
STANDSTILL_SECONDS = 600
"""By the clock, for a case that waits for ever."""
MEMORY_BYTES = 4 << 30
_TELL_SECONDS = 60
_CASES_PER_PROCESS = 2000
_fork = multiprocessing.get_context("fork")


@dataclass
class Lane:
    """One worker process after the other, through the numbers of one lane."""

    seed: int
    numbers: Sequence[int]
    log: Path
    tally: Tally
    at: int = 0
    current: int | None = None

    def start(self) -> None:
        """A process for the next numbers."""
        self.answers, theirs = _fork.Pipe(duplex=False)
        chunk = self.numbers[self.at : self.at + _CASES_PER_PROCESS]
        args = (self.seed, chunk, theirs, MEMORY_BYTES, self.log)
        self.process = _fork.Process(target=worker.serve, args=args, daemon=True)
        waiting = signal.pthread_sigmask(signal.SIG_BLOCK, worker.ENDING)  # what runs after a fork loses them
        self.process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
        theirs.close()
        self.current = None
        self._begin()

    def listen(self) -> None:
        """Take one message; start again if the process has ended."""
        try:
            message = self.answers.recv()
        except EOFError:
            self.end("")
            return
        if isinstance(message, int):
            self.current = message
            self._begin()
        else:
            self.current = None
            self.at += 1
            self.tally.add(message)

    def end(self, reason: str) -> None:
        """Bury the process, note of what it died, start the next."""
        self.process.join()
        self.answers.close()
        code = self.process.exitcode or 0
        if self.current is not None or code:
            text = self.log.read_text(errors="replace")
            reason = reason or (signal.Signals(-code).name if code < 0 else f"exit status {code}")
            number = self.current if self.current is not None else self.numbers[self.at]
            name = make(self.seed, number).name
            self.tally.fault(f"{reason} in {name.split()[0]}", number, name, text)
            self.at += 1
        if self.at < len(self.numbers):
            self.start()

    def watch(self) -> None:
        """End a process whose case takes too long."""
        stands = time.monotonic() - self.began > STANDSTILL_SECONDS
        if stands or _used_seconds(self.process.pid) - self.used > CASE_SECONDS:
            self.process.kill()
            self.end("time limit")

    def _begin(self) -> None:
        self.began, self.used = time.monotonic(), _used_seconds(self.process.pid)

    @property
    def done(self) -> bool:
        """Whether all numbers have been through."""
        return self.at >= len(self.numbers) and self.answers.closed


def _used_seconds(pid: int | None) -> float:
    """The processor time of another process, by the clock that Linux has for each; 0 if it has ended."""
    assert pid is not None
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def drive(seed: int, runs: int, jobs: int, folder: Path, first: int = 0, seconds: float = math.inf) -> Tally:
    """Cases from number `first` on until there were that many runs, in `jobs` processes at a time.

    An interrupt ends it early, with the tally so far.
    """
    began = told = time.monotonic()
    seeds()
    ops.register_all()  # what all processes need is imported once
    importlib.import_module("sardonyx.compiler.compile")
    tally = Tally()
    lanes = [
        Lane(seed, range(first + lane, first + runs, jobs), folder / f"worker_{lane}.log", tally)
        for lane in range(jobs)
    ]
    try:
        for lane in lanes:
            lane.start()
        while (
            tally.runs < runs
            and time.monotonic() < began + seconds
            and (open_lanes := [lane for lane in lanes if not lane.done])
        ):
            by_answers: dict[Any, Lane] = {lane.answers: lane for lane in open_lanes}
            for ready in wait(list(by_answers), timeout=1.0):
                assert isinstance(ready, Connection)
                by_answers[ready].listen()
            for lane in open_lanes:
                lane.watch()
            if time.monotonic() > told + _TELL_SECONDS:
                told = time.monotonic()
                print(tally.progress(told - began), flush=True)
    except KeyboardInterrupt:
        tally.interrupted = True
    finally:
        for process in multiprocessing.active_children():
            process.kill()
    return tally
