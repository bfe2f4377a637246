"""The queue of a model and the thread that works it off.

Decides who runs when; must not know what is run or for whom. Jobs come from and go back to one event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Timings

Execute = Callable[[Sequence[Array], tuple[int, ...]], list[Array]]


@dataclass(slots=True)
class Job:
    """One request in the queue: arrays in, the numbers of the outputs wanted, and where the result goes."""

    feeds: list[Array]
    wanted: tuple[int, ...]
    rows: int
    future: asyncio.Future[list[Array]]
    timings: Timings
    deadline_ns: int | None = None
    queued_ns: int = field(default_factory=time.perf_counter_ns)


class Scheduler:
    """Runs the jobs of one model on a thread of its own, in the order they came."""

    def __init__(self, name: str, execute: Execute, queue_size: int, overload: Code) -> None:
        self.name = name
        self.depth = 0
        self._execute = execute
        self._queue_size = queue_size
        self._overload = overload
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"serve {name}", daemon=True)
        self._thread.start()

    async def run(self, job: Job) -> list[Array]:
        """The outputs of a job; UNAVAILABLE if too many wait, DEADLINE if its time is over before it runs."""
        if self.depth >= self._queue_size:
            raise ServeError(
                self._overload, f"model '{self.name}' has {self.depth} requests in its queue, try later", 1.0
            )
        self.depth += 1
        try:
            self._inbox.put(job)
            return await job.future
        finally:
            self.depth -= 1

    async def close(self) -> None:
        """Work off what is queued and end the thread."""
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            if job.future.cancelled():
                continue
            began = time.perf_counter_ns()
            job.timings.queue_ns = began - job.queued_ns
            result: list[Array] | Exception
            if job.deadline_ns is not None and began > job.deadline_ns:
                result = ServeError(
                    Code.DEADLINE, f"the time of the request was over before '{self.name}' ran"
                )
            else:
                try:
                    result = self._execute(job.feeds, job.wanted)
                except Exception as error:
                    result = error
                job.timings.infer_ns = time.perf_counter_ns() - began
                job.timings.batch_rows = job.rows
            self._loop.call_soon_threadsafe(_deliver, job, result)
            del job, result


def _deliver(job: Job, result: list[Array] | Exception) -> None:
    if job.future.done():
        return
    if isinstance(result, Exception):
        job.future.set_exception(result)
    else:
        job.future.set_result(result)
