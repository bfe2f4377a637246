"""Looks at many pictures on all cores, each picture on one: a small network gains little from two threads.

Decides the order of results and what ends the work; knows no network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sardonyx.runtime.cores import team_size

One = TypeVar("One")
Seen = TypeVar("Seen")

AHEAD = 2  # pictures that wait for each thread


def side_by_side(
    look: Callable[[One], Seen],
    pictures: Sequence[One],
    threads: int,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Seen]:
    """What `look` makes of each picture, in their order.

    Args:
        look: called on several threads at once; its sessions should have one thread each.
        pictures: what to look at.
        threads: how many; 0 are all cores.
        progress: called with the number of each picture before its result is waited for, and how many
            there are. What it or `look` raises ends the work: no further picture is begun.
    """
    count = threads or team_size()
    pool = ThreadPoolExecutor(count, "pictures")
    waiting: deque[Future[Seen]] = deque()
    try:
        for at in range(len(pictures)):
            while len(waiting) < AHEAD * count and at + len(waiting) < len(pictures):
                waiting.append(pool.submit(look, pictures[at + len(waiting)]))
            if progress is not None:
                progress(at, len(pictures))
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
