"""Calls on a few threads that stay for all of them. Must not know what is called.

A thread of its own for each short call would wait for the interpreter twice as often, to begin and to end.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, TypeVar

from sardonyx.base.background import Background, Outcome

T = TypeVar("T")


class Made(Generic[T]):
    """A call that a thread makes, now or later."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._outcome = Outcome(call)
        self._ended: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        """Make the call."""
        self._outcome.run()
        self._ended.put(None)

    def result(self) -> T:
        """What the call gives, or its error, as soon as it has ended; asked for once."""
        self._ended.get()
        return self._outcome.get()


class Workers:
    """At most so many threads, begun as calls are asked for; they end behind the `with` statement."""

    def __init__(self, threads: int) -> None:
        self._most, self._threads = threads, list[Background[None]]()
        self._asked: SimpleQueue[Made[Any] | None] = SimpleQueue()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._asked.put(None)

    def call(self, call: Callable[[], T]) -> Made[T]:
        """Have a thread make a call, after those that were asked for before."""
        made = Made(call)
        self._asked.put(made)
        if len(self._threads) < self._most:
            self._threads.append(Background(self._work))
        return made

    def _work(self) -> None:
        while (made := self._asked.get()) is not None:
            made.run()
