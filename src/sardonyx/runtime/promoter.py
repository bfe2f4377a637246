"""The one thread of a process that compiles in full, while sessions run, what was compiled quickly.

Decides when it works and rests, and how it ends with the process, before a fork and in its child.
Must not know what it compiles.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

Stopped: TypeAlias = Callable[[float], bool]
"""Waits so many seconds or more, or until the work is to end; whether it is."""
Work: TypeAlias = Callable[[Stopped], None]
Lost: TypeAlias = Callable[[], None]
"""Called in a child process, which will not have done what was to be done."""

PAUSE_SECONDS = 0.2
"""From the time when something is to be done until it is begun: a process that then ends does not pay."""
_REST = 3
"""How many times as long as it has worked the thread rests when it asks whether to stop.

Others have the core then. It works as urgently as they do: exits and forks would wait for a less urgent
thread for as long as other processes have the cores, and nobody can lend it a priority.
"""


class Promoter:
    """Works off what it is given, one after the other, on a thread that lives as long as there is any."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._at_work = threading.Lock()
        self._given: deque[tuple[Work, Lost]] = deque()
        """What is under way, and what waits."""
        self._thread: threading.Thread | None = None

    def renew(self) -> None:
        """Begin afresh in a child process, which lacks the thread."""
        given = self._given
        self._begin()
        for _, lost in given:
            lost()

    def add(self, work: Work, lost: Lost = lambda: None) -> None:
        """Have something done soon. It must not raise, and ask often whether it is to stop."""
        with self._lock:
            self._given.append((work, lost))
            if self._thread is None and not self._ending.is_set():
                thread = threading.Thread(target=self._serve, name="sardonyx-promoter", daemon=True)
                # The process may have as many threads as it may, or be about to end.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    @property
    def at_work(self) -> threading.Lock:
        """To be held by one thread at a time during what must be whole: no process forks meanwhile."""
        return self._at_work

    def _serve(self) -> None:
        worked = 0.0

        def stopped(seconds: float) -> bool:
            nonlocal worked
            rest = _REST * (time.thread_time() - worked)
            is_stopped = self._ending.wait(max(seconds, rest))
            worked = time.thread_time()
            return is_stopped

        while not self._ending.wait(PAUSE_SECONDS):
            with self._lock:
                if not self._given:
                    self._thread = None
                    return
            self._given[0][0](stopped)
            self._given.popleft()

    def end(self) -> None:
        """Begin nothing more, and wait for what has begun: LLVM must not run while its library is left."""
        self._ending.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def before_fork(self) -> None:
        """Wait for what must be whole."""
        self._at_work.acquire()

    def after_fork(self) -> None:
        """Go on in the parent."""
        self._at_work.release()


PROMOTER = Promoter()
atexit.register(PROMOTER.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=PROMOTER.before_fork,
        after_in_parent=PROMOTER.after_fork,
        after_in_child=PROMOTER.renew,
    )
