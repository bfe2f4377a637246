"""A call on a thread of its own, whose result is asked for later. Must not know what is called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """What becomes of a call: what it gives, or its error."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._made: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call."""
        try:
            self._made.append(self._call())
        except BaseException as error:
            self._error = error

    def get(self) -> T:
        """What the call gave; raises its error. Only once it has ended."""
        if self._error is not None:
            raise self._error
        return self._made[0]


class Background(Generic[T]):
    """A call that has begun."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._outcome = Outcome(call)
        self._thread = threading.Thread(target=self._outcome.run, name="sardonyx-background", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """What the call gives, or its error, as soon as it has ended."""
        self._thread.join()
        return self._outcome.get()
