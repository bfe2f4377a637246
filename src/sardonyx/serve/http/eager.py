"""Work that starts at once: what never waits is done before a task is made of it.

Python 3.12 has eager tasks; this is what is needed of them, for 3.11 too. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def start(
    work: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop
) -> Result | asyncio.Task[Result]:
    """The result of a coroutine that did not wait, else the task that goes on with it.

    Raises what it raises before it waits.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    return loop.create_task(_go_on(work, awaited))


async def _go_on(work: Coroutine[Any, Any, Result], awaited: Any) -> Result:
    result: Result = await _Begun(work, awaited)
    return result


class _Begun(Generator[Any, Any, Any]):
    """A coroutine that stands at its first `await`."""

    def __init__(self, work: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        """Give up what is awaited first; then go on with the work."""
        awaited, self._awaited = self._awaited, None
        return self._work.send(value) if awaited is None else awaited

    def throw(self, error: Any, *more: Any) -> Any:
        """An error, such as being cancelled, belongs to the work."""
        self._awaited = None
        return self._work.throw(error, *more)

    def close(self) -> None:
        """Nobody waits any more."""
        self._work.close()
