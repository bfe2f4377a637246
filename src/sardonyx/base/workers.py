"""Calls on a few threads that stay for all of them. Must not know what is called.

A thread of its own for each short call would wait for the interpreter twice as often, to begin and to end.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, TypeVar

from sardonyx.base.background import Background

T = TypeVar("T")


class Made(Generic[T]):
    """A call that a thread makes, now or later."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._ended: SimpleQueue[tuple[list[T], BaseException | None]] = SimpleQueue()

    def run(self) -> None:
        """Make the call."""
        try:
            self._ended.put(([self._call()], None))
        except BaseException as error:
            self._ended.put(([], error))

    def result(self) -> T:
        """What the call gives, or its error, as soon as it has ended; asked for once."""
        found, error = self._ended.get()
        if error is not None:
            raise error
        return found[0]


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
