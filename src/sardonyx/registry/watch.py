"""Keeps the state in memory fresh: looks at the change counter, reads anew when it moved, tells who asked.

When the database is gone the last state goes on to hold, and the log says so once. Must not know what is done
with the state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sardonyx.database import Database
from sardonyx.ort.logger import ERROR, WARNING, log
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry.state import State, read_state

INTERVAL_S = 0.5


class Watch:
    """The newest known state of a database; `on_change` is called on the watching thread."""

    def __init__(self, database: Database, interval_s: float = INTERVAL_S) -> None:
        self._database = database
        self._interval_s = interval_s
        self._state = State()
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_change: list[Callable[[State], None]] = []
        self.every_round: list[Callable[[], None]] = []
        self.lost_since_s: float | None = None

    def state(self) -> State:
        """The newest state, from memory."""
        return self._state

    def begin_with(self, state: State) -> None:
        """Take a state for the newest until the database can be read."""
        self._state = state.renumbered(-1)

    def refresh(self) -> State:
        """Look now. Raises ServeError UNAVAILABLE if the database is gone."""
        with self._reading:
            self._database.prepare()
            if self._database.changes() == self._state.number:
                return self._state
            self._state = read_state(self._database)
            for tell in self.on_change:
                tell(self._state)
            return self._state

    def start(self) -> None:
        """Watch in a thread until `stop`."""
        self._thread = threading.Thread(target=self._watch, name="sardonyx-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            if not self._attempt(self._look):
                continue
            for step in self.every_round:
                if not self._attempt(step):
                    break

    def _look(self) -> None:
        self.refresh()
        if self.lost_since_s is not None:
            log(WARNING, f"the database is back after {time.time() - self.lost_since_s:.0f} s")
            self.lost_since_s = None

    def _attempt(self, step: Callable[[], object]) -> bool:
        """Do a step; False if the database is gone. What else goes wrong with it holds up no other."""
        try:
            step()
        except ServeError as error:
            if error.code is not Code.UNAVAILABLE:
                log(ERROR, f"watching the database failed: {error.message}")
                return True
            if self.lost_since_s is None:
                self.lost_since_s = time.time()
                log(ERROR, f"{error.message}; what was known last goes on to hold")
            return False
        except Exception as error:
            log(ERROR, f"watching the database failed: {type(error).__name__}: {error}")
        return True
