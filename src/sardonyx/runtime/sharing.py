"""Learns from the times of short runs whether sharing them among threads pays.

Must not know how threads work, or what runs compute. Where other work has the cores, a thread that is to help
waits for one for longer than a short run takes; whether that is so changes while a process lives.
"""

from __future__ import annotations

import math

TRIAL = 5
"""Runs of a trial. The first one counts only if there is no other: threads may have to wake for it."""
FIRST = 16
MOST = 4096
"""Runs from one trial to the next, at first and at most: twice as many after each that changes nothing."""
_BETTER = 0.95
_PATIENCE = 2.0
_WEIGHT = 1 / 8


class Sharing:
    """Whether the next run is `together`, on several threads, or on the caller's thread alone.

    The way that was faster is kept. The other one is tried from time to time, and soon where runs begin to
    take longer than it took. A trial ends early if it takes twice as long as all its runs should.
    The first runs are a trial of several threads: what is usual must not count the cold first one.
    """

    __slots__ = ("_left", "_other", "_period", "_trial", "_usual", "together")

    def __init__(self) -> None:
        self.together = True
        self._usual = self._other = math.inf
        self._left = self._period = FIRST
        self._trial: list[int] | None = []

    def note(self, time: int) -> None:
        """Learn how long a run took that was done as `together` said, in any unit."""
        trial = self._trial
        if trial is None:
            self._usual += (time - self._usual) * _WEIGHT
            self._left -= 1
            slower = self._usual > self._other and self._left <= self._period - FIRST
            if slower or self._left <= 0:
                self._trial, self.together = [], not self.together
            return
        trial.append(time)
        if len(trial) == TRIAL or sum(trial) > _PATIENCE * TRIAL * self._usual:
            counted = trial[1:] or trial
            self._judge(sum(counted) / len(counted))

    def _judge(self, mean: float) -> None:
        if mean < _BETTER * self._usual:
            self._other, self._usual, self._period = self._usual, mean, FIRST
        else:
            self._other, self._period = mean, min(2 * self._period, MOST)
            self.together = not self.together
        self._left, self._trial = self._period, None
