"""The thread of a process on which `run_async` runs, one call after the other. Must not know what it runs."""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections.abc import Callable
from typing import TypeAlias

from sardonyx.ort.logger import ERROR, log

Jobs: TypeAlias = "queue.SimpleQueue[Callable[[], None]]"


class _Worker:
    lock = threading.Lock()
    jobs: Jobs | None = None
    pid = 0


def begin(job: Callable[[], None]) -> None:
    """Have it done after those that were begun before; what it raises is logged."""
    with _Worker.lock:
        if _Worker.jobs is None or _Worker.pid != os.getpid():
            jobs: Jobs = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(jobs,), name="sardonyx-async", daemon=True).start()
            _Worker.jobs, _Worker.pid = jobs, os.getpid()
        _Worker.jobs.put(job)


def _serve(jobs: Jobs) -> None:
    while True:
        try:
            jobs.get()()
        except Exception:
            log(ERROR, f"The callback of run_async failed:\n{traceback.format_exc()}")
