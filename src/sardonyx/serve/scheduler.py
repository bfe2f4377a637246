"""The queue of a model and the threads that work it off, in batches where requests can be joined.

Decides who runs when and with whom; must not know what is run. Jobs come from one event loop and go back to
it, with one wake-up for a batch.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Timings
from sardonyx.serve.policy import Policy
from sardonyx.serve.runners import Runners

Results = list[Array]
Key = tuple[object, ...]

_RETRY_S = 1.0
_SEARCHED = 64
"""How many jobs of other shapes are stepped over in search of those that can be joined."""


def _future() -> asyncio.Future[Results]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Job:
    """One request in the queue.

    `key` is equal for jobs that can be joined; `level` is the priority, 1 first; `deadline_ns` and
    `queued_ns` are times of `perf_counter_ns`.
    """

    feeds: list[Array]
    wanted: tuple[int, ...]
    rows: int
    key: Key
    timings: Timings
    level: int = 1
    deadline_ns: int | None = None
    queued_ns: int = field(default_factory=time.perf_counter_ns)
    future: asyncio.Future[Results] = field(default_factory=_future)


@dataclass(slots=True)
class Run:
    """What one run of a model gave to each job, results or an error; and the nanoseconds it took."""

    results: Sequence[Results | Exception]
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0


Execute = Callable[[Sequence[Job]], Run]


class Scheduler:
    """Runs the jobs of one model on threads of its own; `executed` is told of each run, on the loop."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        execute: Execute,
        executed: Callable[[Sequence[Job], Run], None],
        overload: Code,
    ) -> None:
        self.depth = 0
        self._name = name
        self._policy = policy
        self._execute = execute
        self._executed = executed
        self._overload = overload
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._pending: list[deque[Job]] = [deque() for _ in range(policy.levels)]
        self._forming = threading.Lock()
        self._closed = False
        self._most = max(policy.instances, policy.most_instances)
        self._waiting: set[Job] = set()
        self._ended = asyncio.Event()
        self._runners = Runners(policy.instances, self._most)
        self._is_held = False
        self._alive = 0
        for _ in range(policy.instances):
            self._start_thread()

    async def run(self, job: Job) -> Results:
        """The outputs of a job; the overload error if too many wait, DEADLINE if its time is over first."""
        if self._closed:
            raise self._unloaded()
        if self.depth >= self._policy.queue_size:
            raise ServeError(
                self._overload,
                f"Exceeds maximum queue size: model '{self._name}' has {self.depth} requests waiting",
                _RETRY_S,
            )
        timer = None
        if job.deadline_ns is not None:
            left_s = (job.deadline_ns - time.perf_counter_ns()) / 1e9
            if left_s <= 0:
                raise _expired(self._name)
            timer = self._loop.call_later(left_s, _expire, job, self._name)
        self.depth += 1
        self._waiting.add(job)
        try:
            self._inbox.put(job)
            if self._alive < self._most and self._runners.are_aside(self.depth):
                self._start_thread()
            return await job.future
        finally:
            self.depth -= 1
            self._waiting.discard(job)
            if timer is not None:
                timer.cancel()

    async def close(self, patience_s: float) -> None:
        """Take no more, work off what is queued and end the threads; after so long, leave them behind."""
        self._closed = True
        self._inbox.put(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):  # wait_for may swallow a cancellation before Python 3.12
                await self._ended.wait()
        for job in self._waiting:
            if not job.future.done():
                job.future.set_exception(self._unloaded())

    def _start_thread(self) -> None:
        self._alive += 1
        threading.Thread(target=self._work, name=f"serve {self._name}", daemon=True).start()

    def _unloaded(self) -> ServeError:
        return ServeError(Code.UNAVAILABLE, f"model '{self._name}' is being unloaded", _RETRY_S)

    def _thread_ended(self) -> None:
        self._alive -= 1
        if self._alive == 0:
            del self._execute, self._executed  # the model's own, which would be held until a cycle is found
            self._ended.set()

    def _work(self) -> None:
        while True:
            with self._forming:
                batch = self._next()
            if not batch:
                self._loop.call_soon_threadsafe(self._thread_ended)
                return
            began = time.perf_counter_ns()
            for job in batch:
                job.timings.queue_ns = began - job.queued_ns
            run = self._attempt(batch)
            self._runners.end(sum(job.rows for job in batch), self.depth, time.perf_counter_ns())
            if self._is_held:
                self._inbox.put(None)
            self._loop.call_soon_threadsafe(self._deliver, batch, run)
            del batch, run, job

    def _attempt(self, batch: Sequence[Job]) -> Run:
        """Run the batch; if that fails, each job alone, since one of them may be at fault."""
        try:
            return self._execute(batch)
        except Exception as error:
            if len(batch) == 1:
                return Run([error])
        runs = [self._attempt([job]) for job in batch]
        return Run(
            [run.results[0] for run in runs],
            sum(run.input_ns for run in runs),
            sum(run.infer_ns for run in runs),
            sum(run.output_ns for run in runs),
        )

    def _deliver(self, batch: Sequence[Job], run: Run) -> None:
        rows = sum(job.rows for job in batch)
        for job, result in zip(batch, run.results, strict=True):
            timings = job.timings
            timings.input_ns, timings.infer_ns, timings.output_ns = run.input_ns, run.infer_ns, run.output_ns
            timings.rows, timings.batch_rows = job.rows, rows
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        self._executed(batch, run)

    def _next(self) -> list[Job]:
        """The jobs that run next; none once the queue is closed and empty."""
        while True:
            self._receive(0.0)
            head = self._head()
            if head is None:
                if self._closed:
                    self._inbox.put(None)  # for the next thread that waits
                    return []
                self._receive(None)
                continue
            self._is_held = True  # before it is asked, so that a run that ends meanwhile is heard of
            if not self._runners.may_begin(self.depth):
                self._receive(None)
                continue
            self._is_held = False
            batch = self._joined(head) if self._policy.most_rows > 1 else [head]
            wait_ns = self._patience_ns(batch)
            if wait_ns <= 0:
                self._take(batch)
                self._runners.begin()
                return batch
            self._receive(wait_ns / 1e9)

    def _head(self) -> Job | None:
        """The first of the highest level; jobs that nobody waits for any more are dropped."""
        for level in self._pending:
            while level:
                if not level[0].future.done():
                    return level[0]
                level.popleft()
        return None

    def _joined(self, head: Job) -> list[Job]:
        """The head of the queue and jobs behind it that can be joined, up to the most rows."""
        batch, rows, strangers = [head], head.rows, 0
        most, share = self._policy.most_rows, self._runners.share(self.depth)
        for level in self._pending:
            for job in level:
                if rows >= most or len(batch) >= share or strangers > _SEARCHED:
                    break
                if job is head or job.future.done():
                    continue
                if job.key == head.key and rows + job.rows <= most:
                    batch.append(job)
                    rows += job.rows
                else:
                    strangers += 1
        return self._preferred(batch, rows) if self._policy.preferred else batch

    def _preferred(self, batch: list[Job], rows: int) -> list[Job]:
        """As many of the batch as make the greatest preferred size, if any make one."""
        for size in reversed(self._policy.preferred):
            kept, count = [], 0
            for job in batch if size <= rows else ():
                if count + job.rows <= size:
                    kept.append(job)
                    count += job.rows
            if kept and count == size:
                return kept
        return batch

    def _patience_ns(self, batch: Sequence[Job]) -> int:
        """How long a batch may wait for more: till its oldest has waited enough, or a deadline is near."""
        policy = self._policy
        if policy.delay_ns == 0 or self._closed:
            return 0
        rows = sum(job.rows for job in batch)
        if rows >= policy.most_rows or rows in policy.preferred:
            return 0
        now = time.perf_counter_ns()
        until = min(job.queued_ns for job in batch) + policy.delay_ns
        deadlines = [job.deadline_ns for job in batch if job.deadline_ns is not None]
        if deadlines:
            until = min(until, now + (min(deadlines) - now) // 2)
        return until - now

    def _take(self, batch: Sequence[Job]) -> None:
        chosen = {id(job) for job in batch}
        left = len(chosen)
        for number, level in enumerate(self._pending):
            while level and id(level[0]) in chosen:
                level.popleft()
                left -= 1
            if left == 0:
                return
            kept = deque(job for job in level if id(job) not in chosen)
            left -= len(level) - len(kept)
            self._pending[number] = kept

    def _receive(self, timeout_s: float | None) -> None:
        """Move what came in to its level; wait for one if there is none (None: as long as it takes)."""
        inbox = self._inbox
        if timeout_s == 0.0 and inbox.empty():
            return
        try:
            job = inbox.get(timeout=timeout_s)
            while True:
                if job is not None:
                    self._pending[min(max(job.level, 1), len(self._pending)) - 1].append(job)
                if inbox.empty():
                    return
                job = inbox.get_nowait()
        except Empty:
            return


def _expire(job: Job, name: str) -> None:
    if not job.future.done():
        job.future.set_exception(_expired(name))


def _expired(name: str) -> ServeError:
    return ServeError(Code.DEADLINE, f"Request timeout expired before model '{name}' answered")
