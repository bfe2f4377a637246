"""How many runs of a model go on at once: one on all cores, or several side by side, each on its own.

Decides by which answers more: that depends on the model, and on who else has the cores. Must not know what is
run.
"""

from __future__ import annotations

import threading

from sardonyx.runtime.sharing import Sharing

_CROWD = 2
"""Requests for each run, of those that could go on side by side: one that it runs, and one that waits."""


class Runners:
    """`least` runs may always go on at once, up to `most` where many requests are there.

    `depth` are the requests that wait or run.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most
        self._counting = threading.Lock()
        self._running = 0
        self._sharing = Sharing()
        self._since_ns = self._rows = self._runs = 0

    def may_begin(self, depth: int) -> bool:
        """Whether one more run may begin now."""
        return self._running < (self._most if self.are_aside(depth) else self._least)

    def are_aside(self, depth: int) -> bool:
        """Whether runs go on side by side now."""
        return self._is_crowd(depth) and not self._sharing.together

    def share(self, depth: int) -> int:
        """The most requests of which one run should be made, so that the others have theirs."""
        return -(-depth // (_CROWD * self._most)) if self.are_aside(depth) else depth

    def begin(self) -> None:
        """One more run goes on."""
        with self._counting:
            self._running += 1

    def end(self, rows: int, depth: int, now_ns: int) -> None:
        """A run of so many rows is done at a moment; its requests still count among those that are there."""
        with self._counting:
            self._running -= 1
            if self._least < self._most:
                self._learn(rows, depth, now_ns)

    def _is_crowd(self, depth: int) -> bool:
        return self._least < self._most and depth >= _CROWD * self._most

    def _learn(self, rows: int, depth: int, now_ns: int) -> None:
        if self._since_ns:
            self._rows += rows
            self._runs += 1
            if self._runs < (self._least if self._sharing.together else self._most):
                return
            self._sharing.note((now_ns - self._since_ns) // self._rows)
        self._rows = self._runs = 0
        self._since_ns = now_ns if self._is_crowd(depth) else 0
