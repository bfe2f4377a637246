"""Runs programs on threads: one team per process, shared by all sessions.

Decides how threads start, wait, wake and end, and who may use them; must not know what a program computes.
The threads live inside native code (`object.executor`) and hold no interpreter lock there.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.abi import LINE_BYTES, Barrier, Context, Mailbox, Record, Status, TeamBlock
from sardonyx.base.abi import Launch as LaunchWord
from sardonyx.base.knobs import SPIN_US
from sardonyx.base.named import NamedTuple
from sardonyx.runtime import allocate, cores, seed
from sardonyx.runtime.allocate import Words
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.sharing import Sharing

if TYPE_CHECKING:
    import numpy.typing as npt

_Native = Callable[[int, int], int]

LITTLE_WORK = 60_000
"""Elementary operations below which waking other threads costs more than it saves."""
BARRIER_WORK = 70_000
"""As many operations take about as long as two threads need to meet."""
SHORT_WORK = 1 << 26
"""Elementary operations of which a thread that comes late decides how long they take: about a millisecond."""
_WORD = 8
_MOST_THREADS = 64
_SYSTEM_CALLS = {"x86_64": (202, 204, 203), "aarch64": (98, 123, 122), "riscv64": (98, 123, 122)}
"""Linux numbers of futex, sched_getaffinity and sched_setaffinity by machine."""


class Failure(NamedTuple):
    """What a kernel reported through `sdx_fail`: its code, the index of its record, two details."""

    code: int
    call: int
    detail0: int
    detail1: int


class Profile(NamedTuple):
    """Nanoseconds by thread and record, of all its calls: inside, and from their end to the next call."""

    busy_ns: npt.NDArray[np.float64]
    wait_ns: npt.NDArray[np.float64]


class Launch:
    """What one run executes: made once for a bound program, run any number of times, by one thread at a time.

    `records` has shape [calls, 3] (function, args, flags; see `base.abi.Record`) and may be changed
    between runs, as may all that it points at. `threads` is an upper bound. `scratch_bytes` of private
    memory, aligned to 64, are given to each thread. After the run the threads look for the next one for
    `spin_us` microseconds before they sleep. `hold_gil` keeps the interpreter lock during a run of one
    thread, for programs of a few microseconds. `sharing` says of each run whether several threads do it.
    `flush_denormals` takes denormal floats as zeros; without it they follow the caller's mode. `keep` owns
    the memory that the records point at.
    """

    __slots__ = ("_keep", "address", "hold_gil", "records", "scratch_bytes", "sharing", "threads", "words")

    def __init__(
        self,
        image: LoadedImage,
        records: Words,
        *,
        threads: int = 1,
        scratch_bytes: int = 0,
        spin_us: int = SPIN_US.default,
        hold_gil: bool = False,
        sharing: Sharing | None = None,
        flush_denormals: bool = False,
        keep: object = None,
    ) -> None:
        assert records.dtype == np.int64
        assert records.flags.c_contiguous
        assert records.size % Record.WORDS == 0
        self._keep = (image, keep)
        self.records = records
        self.threads = threads
        self.scratch_bytes = scratch_bytes
        self.hold_gil = hold_gil
        self.sharing = sharing
        self.words = allocate.aligned_words(LaunchWord.WORDS)
        self.words[LaunchWord.EXECUTE] = image.address("sdx_execute")
        self.words[LaunchWord.RECORDS] = records.ctypes.data
        self.words[LaunchWord.COUNT] = records.size // Record.WORDS
        self.words[LaunchWord.NTHREADS] = threads
        self.words[LaunchWord.SPIN_US] = spin_us
        self.words[LaunchWord.FLUSH_DENORMALS] = flush_denormals
        self.address = int(self.words.ctypes.data)


class _Entries:
    """The native functions that Python calls."""

    def __init__(self, image: LoadedImage) -> None:
        self.image = image
        word = ctypes.c_void_p

        def entry(name: str, arguments: int) -> Callable[..., int]:
            return ctypes.CFUNCTYPE(ctypes.c_int64, *[word] * arguments)(image.address(name))

        self.launch: _Native = entry("sdx_launch", 2)
        self.publish: _Native = entry("sdx_publish", 2)
        self.join: _Native = entry("sdx_join", 2)
        self.solo: _Native = entry("sdx_solo", 2)
        self.worker: Callable[[int, int, int], int] = entry("sdx_worker", 3)
        self.stop: Callable[[int], int] = entry("sdx_stop", 1)
        self.ticks: Callable[[], int] = entry("sdx_ticks", 0)
        holding = ctypes.PYFUNCTYPE(ctypes.c_int64, word, word)
        self.solo_holding_gil: _Native = holding(image.address("sdx_solo"))


class Station:
    """Where one thread at a time runs programs alone: a context, its status and scratch.

    Whoever runs must hold the `memory` meanwhile: at the end of the process Python drops what threads own
    while daemon threads still run.
    """

    def __init__(self) -> None:
        self.words = allocate.aligned_words(Context.WORDS + Status.WORDS)
        self.memory: tuple[npt.NDArray[Any], ...] = (self.words, seed.STATE)
        self.status = self.words[Context.WORDS :]
        self.address = int(self.words.ctypes.data)
        self.scratch_bytes = 0
        self.words[Context.STATUS] = self.status.ctypes.data
        self.words[Context.RANDOM] = seed.STATE.ctypes.data

    def grow(self, size: int) -> None:
        """Have so much scratch."""
        self.memory = (self.words, seed.STATE, _give_scratch(self.words, size))
        self.scratch_bytes = size


class _OwnStation(Station, threading.local):
    """The station of the Python thread that asks."""


def _give_scratch(context: Words, size: int) -> npt.NDArray[np.uint8]:
    scratch = allocate.aligned_bytes(size)
    context[Context.SCRATCH] = scratch.ctypes.data
    context[Context.SCRATCH_BYTES] = size
    return scratch


class _Crew:
    """The memory that the threads of one team share, and the threads started so far."""

    def __init__(self, entries: _Entries, size: int, futex: bool) -> None:
        self.entries = entries
        self.threads: list[threading.Thread] = []
        self.lock = threading.Lock()
        self.wake = threading.Condition(threading.Lock())
        self.open = size > 1
        self.portable = True
        self.ready = 1
        self._seed = seed.STATE
        self.scratch_bytes = 0
        self._scratch: list[npt.NDArray[np.uint8]] = []
        line = LINE_BYTES // _WORD
        words = allocate.aligned_words(line + Barrier.WORDS + (line + Mailbox.WORDS) * size)
        self.team, self.barrier, contexts, mailboxes = np.split(
            words, np.cumsum([line, Barrier.WORDS, line * size])
        )
        self.contexts, self.mailboxes = contexts.reshape(size, line), mailboxes.reshape(size, Mailbox.WORDS)
        self.address = int(self.team.ctypes.data)
        self.team[TeamBlock.SIZE] = size
        self.team[TeamBlock.CONTEXTS] = contexts.ctypes.data
        self.team[TeamBlock.MAILBOXES] = mailboxes.ctypes.data
        self.team[TeamBlock.CPUS] = cores.usable_cpus()
        self.contexts[:, Context.TID] = np.arange(size)
        self.contexts[:, Context.CPU] = -1
        self.contexts[:, Context.BARRIER] = self.barrier.ctypes.data
        self.contexts[:, Context.STATUS] = self.team.ctypes.data
        self.contexts[:, Context.RANDOM] = self._seed.ctypes.data
        self._find_system_calls(futex)

    def _find_system_calls(self, futex: bool) -> None:
        if sys.platform == "win32":
            switch = getattr(ctypes, "windll").kernel32.SwitchToThread  # noqa: B009 - absent on other systems
            self.barrier[Barrier.YIELD] = _address_of(switch)
            return
        libc = ctypes.CDLL(None)
        self.barrier[Barrier.YIELD] = _address_of(libc.sched_yield)
        numbers = _SYSTEM_CALLS.get(platform.machine())
        if sys.platform == "linux" and futex and numbers:
            self.portable = False
            self.barrier[Barrier.SYSCALL] = _address_of(libc.syscall)
            self.barrier[[Barrier.FUTEX, Barrier.GET_AFFINITY, Barrier.SET_AFFINITY]] = numbers
            self.barrier[Barrier.GET_CPU] = _address_of(libc.sched_getcpu)

    def prepare(self, count: int, scratch_bytes: int, ticks_per_us: float) -> None:
        """Have threads 1 .. count - 1 running, each with that much scratch; no run may be under way."""
        self.team[TeamBlock.TICKS_PER_US] = round(ticks_per_us)
        self.ready, self.scratch_bytes = max(count, self.ready), max(scratch_bytes, self.scratch_bytes)
        self._scratch = [
            _give_scratch(context, self.scratch_bytes) for context in self.contexts[: self.ready]
        ]
        for tid in range(len(self.threads) + 1, count):
            thread = threading.Thread(target=self._work, args=(tid,), name=f"sardonyx-{tid}", daemon=True)
            self.threads.append(thread)
            thread.start()

    def _work(self, tid: int) -> None:
        mailbox = self.mailboxes[tid]
        mail, context = int(mailbox.ctypes.data), int(self.contexts[tid].ctypes.data)
        self.contexts[tid, Context.THREAD] = threading.get_native_id()
        while self.entries.worker(mail, context, self.address):
            with self.wake:
                while mailbox[Mailbox.EPOCH] == mailbox[Mailbox.DONE]:
                    self.wake.wait()

    def rouse(self) -> None:
        """Wake the threads that parked in Python."""
        if self.mailboxes[:, Mailbox.PARKED].any():
            with self.wake:
                self.wake.notify_all()

    def stop(self) -> None:
        """End the threads; those of a run that does not end within a second are left alone.

        Later runs, of daemon threads and of functions that Python calls at its end, use one thread.
        """
        self.open = False
        if not self.threads or not self.lock.acquire(timeout=1.0):
            return
        try:
            self.entries.stop(self.address)
            self.rouse()
            for thread in self.threads:
                thread.join(1.0)
            self.threads.clear()
        finally:
            self.lock.release()


class Team:
    """Threads that run programs together, made from the runtime functions of any loaded image.

    Args:
        image: any image that `object.executor` was linked into; it is kept.
        size: the most threads of a run, the caller's included. They start when a run first asks for them.
        futex: sleep inside the system call on Linux; otherwise threads return to Python to sleep.
    """

    def __init__(self, image: LoadedImage, size: int = _MOST_THREADS, *, futex: bool = True) -> None:
        self.size = size
        self._futex = futex
        self._entries = _Entries(image)
        self._clock = (time.perf_counter_ns(), self._entries.ticks())
        self._assemble()
        _teams.add(self)

    def _assemble(self) -> None:
        self._station = _OwnStation()
        self._lone: set[int] = set()
        self._crew = _Crew(self._entries, self.size, self._futex)
        self._closer = weakref.finalize(self, self._crew.stop)

    def run(self, launch: Launch) -> Failure | None:
        """Execute a program once and return when all its calls are done, or what went wrong.

        The caller is thread 0. If another run has the team, or sharing the work does not pay, this one uses
        the caller's thread alone. Each such run takes a thread from the runs that have the team meanwhile: a
        thread that waits for a core holds up all others of its run.
        """
        sharing = launch.sharing
        if sharing is None:
            return self._run(launch)
        began = time.perf_counter_ns()
        failure = self._run(launch) if sharing.together else self._run_alone(self._station, launch)
        if failure is None:
            sharing.note(time.perf_counter_ns() - began)
        return failure

    def _run(self, launch: Launch) -> Failure | None:
        most = min(launch.threads, self.size)
        if most == 1:
            return self._run_alone(self._station, launch)
        crew, count = self._crew, most - len(self._lone)
        if count > 1 and crew.open and crew.lock.acquire(blocking=False):
            try:
                if crew.open:
                    return self._run_together(crew, launch, count)
            finally:
                crew.lock.release()
        me = threading.get_ident()
        self._lone.add(me)
        try:
            return self._run_alone(self._station, launch)
        finally:
            self._lone.discard(me)

    def _run_alone(self, station: Station, launch: Launch) -> Failure | None:
        if launch.scratch_bytes > station.scratch_bytes:
            station.grow(launch.scratch_bytes)
        entries, memory = self._entries, station.memory  # noqa: F841 - holds the memory
        solo = entries.solo_holding_gil if launch.hold_gil else entries.solo
        return _failure(station.status) if solo(launch.address, station.address) else None

    def _run_together(self, crew: _Crew, launch: Launch, count: int) -> Failure | None:
        launch.words[LaunchWord.NTHREADS] = count
        if count > crew.ready or launch.scratch_bytes > crew.scratch_bytes:
            crew.prepare(count, launch.scratch_bytes, 1000 * self._ticks_per_ns())
        if crew.portable:
            self._entries.publish(launch.address, crew.address)
            crew.rouse()
            code = self._entries.join(launch.address, crew.address)
        else:
            code = self._entries.launch(launch.address, crew.address)
        return _failure(crew.team) if code else None

    def profile(self, launch: Launch) -> tuple[Failure | None, Profile]:
        """Run once and time every call on every thread; times are zero on threads that took no part."""
        threads = min(launch.threads, self.size)
        ticks = np.zeros((threads, launch.records.size // Record.WORDS, 2), np.int64)
        launch.words[LaunchWord.PROFILE] = ticks.ctypes.data
        try:
            failure = self._run(launch)
        finally:
            launch.words[LaunchWord.PROFILE] = 0
        times = ticks / self._ticks_per_ns()
        return failure, Profile(times[:, :, 0], times[:, :, 1])

    def _ticks_per_ns(self) -> float:
        """Measured from the team's birth to now, over a fifth of a millisecond at least."""
        born_ns, born_ticks = self._clock
        while (elapsed := time.perf_counter_ns() - born_ns) < 200_000:
            pass
        return (self._entries.ticks() - born_ticks) / elapsed

    def close(self) -> None:
        """End the threads. Later runs use their caller's thread alone."""
        self._closer()

    def _forget(self) -> None:
        """Start afresh in a forked child, where the threads do not exist and any lock may be held forever."""
        self._closer.detach()
        was_open = self._crew.open
        self._assemble()
        self._crew.open = was_open


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _failure(status: Words) -> Failure:
    return Failure(*(int(word) for word in status[: Status.WORDS]))


_teams: weakref.WeakSet[Team] = weakref.WeakSet()
_shared: Team | None = None
_shared_lock = threading.Lock()


def shared(image: LoadedImage) -> Team:
    """The process's team, made from this image if there is none yet."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Team(image)
        return _shared


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for team in list(_teams):
        team._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
