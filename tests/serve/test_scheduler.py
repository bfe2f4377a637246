"""Who runs when and with whom: batches, priorities, deadlines, bounds, faults, cancellation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Timings
from sardonyx.serve.policy import Policy
from sardonyx.serve.scheduler import Job, Run, Scheduler


class Machine:
    """Stands where a model runs: it waits at a gate, then doubles; rows of -1 make it fail."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, jobs: Sequence[Job]) -> Run:
        self.gate.wait(10)
        values = [int(job.feeds[0][0, 0]) for job in jobs]
        if -1 in values:
            raise ServeError(Code.INTERNAL, "a row of -1")
        self.batches.append(values)
        return Run([[job.feeds[0] * 2] for job in jobs], infer_ns=1)


def job(value: int, *, level: int = 1, rows: int = 1, key: object = 0, deadline_ns: int | None = None) -> Job:
    feeds = [np.full((rows, 1), value)]
    return Job(feeds, (0,), rows, (key,), Timings(), level, deadline_ns)


def scheduled(policy: Policy, use: Callable[[Scheduler, Machine], Coroutine[Any, Any, Any]]) -> Any:
    """What `use` gives, with a scheduler that is closed afterwards."""

    async def run() -> Any:
        machine = Machine()
        scheduler = Scheduler("m", policy, machine, lambda jobs, run: None, Code.UNAVAILABLE)
        try:
            return await asyncio.wait_for(use(scheduler, machine), 10)
        finally:
            machine.gate.set()
            await scheduler.close(5.0)

    return asyncio.run(run())


async def queued(scheduler: Scheduler, jobs: Sequence[Job]) -> list[asyncio.Task[Any]]:
    """Tasks of the jobs, all in the queue; the first alone keeps the machine busy."""
    tasks = []
    for number, one in enumerate(jobs):
        tasks.append(asyncio.create_task(scheduler.run(one)))
        await asyncio.sleep(0.05 if number == 0 else 0)
    return tasks


def ask(value: int, **options: Any) -> Callable[[], Job]:
    """A job that is made once a loop runs."""
    return partial(job, value, **options)


def order(policy: Policy, makers: Sequence[Callable[[], Job]]) -> list[list[int]]:
    async def use(scheduler: Scheduler, machine: Machine) -> list[list[int]]:
        jobs = [make() for make in makers]
        tasks = await queued(scheduler, [job(0, key="first"), *jobs])
        machine.gate.set()
        results = await asyncio.gather(*tasks)
        assert [int(result[0][0, 0]) for result in results[1:]] == [int(j.feeds[0][0, 0]) * 2 for j in jobs]
        return machine.batches[1:]

    batches: list[list[int]] = scheduled(policy, use)
    return batches


def test_what_waited_runs_together() -> None:
    assert order(Policy(most_rows=8), [ask(n) for n in range(1, 6)]) == [[1, 2, 3, 4, 5]]


def test_batches_have_at_most_so_many_rows() -> None:
    jobs = [ask(1, rows=3), ask(2, rows=3), ask(3, rows=2), ask(4)]
    assert order(Policy(most_rows=6), jobs) == [[1, 2], [3, 4]]


def test_one_request_may_be_larger_than_a_batch() -> None:
    assert order(Policy(most_rows=4), [ask(1, rows=9), ask(2)]) == [[1], [2]]


def test_unlike_shapes_run_apart_and_in_order() -> None:
    jobs = [ask(1, key="a"), ask(2, key="b"), ask(3, key="a")]
    assert order(Policy(most_rows=8), jobs) == [[1, 3], [2]]


def test_preferred_sizes_are_made_if_they_can_be() -> None:
    policy = Policy(most_rows=8, preferred=(4,))
    assert order(policy, [ask(n) for n in range(1, 7)]) == [[1, 2, 3, 4], [5, 6]]


def test_without_batching_each_runs_alone() -> None:
    assert order(Policy(), [ask(1), ask(2)]) == [[1], [2]]


def test_priority_goes_first() -> None:
    jobs = [ask(1, level=3), ask(2, level=2), ask(3, level=1)]
    assert order(Policy(levels=3), jobs) == [[3], [2], [1]]


def test_a_batch_waits_for_more() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> list[list[int]]:
        machine.gate.set()
        first = asyncio.create_task(scheduler.run(job(1)))
        await asyncio.sleep(0.02)
        await asyncio.gather(first, scheduler.run(job(2)))
        return machine.batches

    assert scheduled(Policy(most_rows=2, delay_ns=5_000_000_000), use) == [[1, 2]]


def test_a_full_queue_refuses() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> None:
        tasks = await queued(scheduler, [job(n) for n in range(3)])
        with pytest.raises(ServeError, match="maximum queue size") as refused:
            await scheduler.run(job(9))
        assert refused.value.code is Code.UNAVAILABLE
        assert refused.value.retry_after_s
        machine.gate.set()
        await asyncio.gather(*tasks)

    scheduled(Policy(queue_size=3), use)


def test_time_is_over_before_and_while_it_runs() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> list[list[int]]:
        soon = time.perf_counter_ns() + 200_000_000
        running, waiting = await queued(scheduler, [job(1, deadline_ns=soon), job(2, deadline_ns=soon)])
        for task in (running, waiting):
            with pytest.raises(ServeError, match="timeout expired") as late:
                await task
            assert late.value.code is Code.DEADLINE
        machine.gate.set()
        await scheduler.run(job(3))
        return machine.batches

    assert scheduled(Policy(), use) == [[1], [3]]


def test_who_left_is_not_run() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> list[list[int]]:
        tasks = await queued(scheduler, [job(1), job(2), job(3)])
        tasks[1].cancel()
        await asyncio.sleep(0)
        machine.gate.set()
        await asyncio.gather(tasks[0], tasks[2])
        assert scheduler.depth == 0
        return machine.batches

    assert scheduled(Policy(), use) == [[1], [3]]


def test_a_fault_is_told_to_its_own_request_alone() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> list[Any]:
        tasks = await queued(scheduler, [job(0), job(1), job(-1), job(2)])
        machine.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = scheduled(Policy(most_rows=8), use)
    assert [type(result) for result in results] == [list, list, ServeError, list]


def test_what_is_queued_is_answered_on_the_way_out() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> None:
        tasks = await queued(scheduler, [job(1), job(2)])
        closing = asyncio.create_task(scheduler.close(5.0))
        await asyncio.sleep(0)
        with pytest.raises(ServeError, match="unloaded"):
            await scheduler.run(job(3))
        machine.gate.set()
        await asyncio.gather(closing, *tasks)

    scheduled(Policy(instances=3), use)


def test_instances_run_at_the_same_time() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> None:
        barrier = threading.Barrier(2)

        def meet(jobs: Sequence[Job]) -> Run:
            barrier.wait(5)
            return Run([[job.feeds[0]] for job in jobs])

        scheduler._execute = meet
        await asyncio.gather(scheduler.run(job(1)), scheduler.run(job(2)))

    scheduled(Policy(instances=2), use)


@pytest.mark.parametrize(("lone_s", "most"), [(0.004, 2), (0.016, 1)])
def test_many_requests_run_side_by_side_where_that_answers_more(lone_s: float, most: int) -> None:
    """One run takes 4 ms where it has all cores, `lone_s` beside another."""

    async def use(scheduler: Scheduler, machine: Machine) -> None:
        going, seen = set[int](), list[int]()

        def work(jobs: Sequence[Job]) -> Run:
            going.add(id(jobs))
            seen.append(len(going))
            aside = scheduler._runners.are_aside(scheduler.depth)
            time.sleep(lone_s if aside else 0.004)
            going.discard(id(jobs))
            return Run([[job.feeds[0]] for job in jobs])

        async def client() -> None:
            for _ in range(60):
                await scheduler.run(job(1))

        scheduler._execute = work
        await client()
        assert max(seen) == 1
        await asyncio.gather(*[client() for _ in range(8)])
        assert max(seen[-20:-8]) == most
        del seen[:]
        await client()
        assert max(seen) == 1

    scheduled(Policy(most_instances=2), use)


def test_what_may_not_begin_yet_is_answered_on_the_way_out() -> None:
    async def use(scheduler: Scheduler, machine: Machine) -> None:
        scheduler._runners._sharing.together = False
        tasks = await queued(scheduler, [job(n, key=n) for n in range(8)])
        scheduler._runners._sharing.together = True
        closing = asyncio.create_task(scheduler.close(5.0))
        await asyncio.sleep(0.05)
        machine.gate.set()
        await asyncio.gather(closing, *tasks)
        assert sorted(machine.batches) == [[n] for n in range(8)]

    scheduled(Policy(most_instances=2), use)


@pytest.mark.parametrize("turns", range(4))
def test_who_is_cancelled_as_the_threads_end_is_cancelled(turns: int) -> None:
    """A task that went on would be waited for without an end."""

    async def run() -> None:
        scheduler = Scheduler("m", Policy(), Machine(), lambda jobs, run: None, Code.UNAVAILABLE)
        closing = asyncio.create_task(scheduler.close(5.0))
        await scheduler._ended.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        if closing.cancel():
            with pytest.raises(asyncio.CancelledError):
                await closing

    asyncio.run(run())
