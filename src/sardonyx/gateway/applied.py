"""Brings a new state to bear without a gap: load what it needs, then route by it, then let go of the rest.

Must not know where states come from.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

from sardonyx.ort.logger import ERROR, log
from sardonyx.registry.state import State
from sardonyx.serve.core import Core


class Applied:
    """The state that requests are routed by; `announce` tells of a newer one, from any thread."""

    def __init__(self, newest: Callable[[], State]) -> None:
        self._newest = newest
        self._state = State()
        self._settled = -1
        self._again = False
        self._changed = threading.Condition()
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def state(self) -> State:
        """The state in force."""
        return self._state

    def needed(self) -> State:
        """The newest state, wanting also what the state in force still routes to."""
        newest = self._newest()
        before = {(version.model, version.version): version for version in self._state.wanted}
        wanted = []
        for version in newest.wanted:
            old = before.pop((version.model, version.version), version)
            wanted.append(replace(version, endpoints=version.endpoints | old.endpoints))
        return newest.wanting((*wanted, *before.values()))

    def adopt(self, state: State) -> None:
        """Put a state in force at once; the caller knows that nothing is served yet."""
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def again(self) -> None:
        """Look once more for what could not be had; called from any thread."""
        self._again = True
        self.announce(self._state)

    def announce(self, _: State) -> None:
        """A newer state is there."""
        if self._loop is not None and self._wake is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def wait(self, number: int, timeout_s: float) -> bool:
        """Block until a state with at least that number of changes is in force; False if it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state.number >= number, timeout_s)

    def settle(self, number: int, timeout_s: float) -> bool:
        """Block until also what only older states needed is let go of; False if it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._settled >= number, timeout_s)

    async def follow(self, core: Core) -> None:
        """Start to follow announcements on this loop."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._settled = self._state.number
        self._task = asyncio.create_task(self._follow(core, self._wake))
        if self._newest().number != self._state.number:
            self._wake.set()

    async def stop(self) -> None:
        """Stop to follow."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self, core: Core, wake: asyncio.Event) -> None:
        while True:
            await wake.wait()
            wake.clear()
            try:
                newest, before = self._newest(), self._state
                again, self._again = self._again, False
                if again or newest.wanted != before.wanted:
                    await core.refresh()
                self.adopt(newest)
                if newest.wanted != before.wanted:
                    await core.refresh()
                with self._changed:
                    self._settled = newest.number
                    self._changed.notify_all()
            except Exception as error:
                log(ERROR, f"a change could not be applied: {type(error).__name__}: {error}")
