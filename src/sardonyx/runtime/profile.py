"""Session profiles: a file of Chrome trace events, one per load and run.

Decides the file's name and form; must not know what is timed.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any


class Profile:
    """The events of one session since its creation."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self.start_ns = time.monotonic_ns()

    def add(self, name: str, start_ns: int, **args: str) -> None:
        """Record an event of category Session that began at `start_ns` (time.monotonic_ns) and ends now."""
        end_ns = time.monotonic_ns()
        event = {
            "cat": "Session",
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
            "dur": (end_ns - start_ns) // 1000,
            "ts": (start_ns - self.start_ns) // 1000,
            "ph": "X",
            "name": name,
            "args": args,
        }
        with self._lock:
            self._events.append(event)

    def end(self) -> str:
        """Write the file and give its name."""
        import json

        now = time.time()
        stamp = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(now))
        name = f"{self._prefix}_{stamp}_{int(now * 1000) % 1000}.json"
        with self._lock:
            Path(name).write_text(json.dumps(self._events), encoding="utf-8")
            self._events.clear()
        return name
