"""Lets one process at a time make an entry of the cache; the others wait for it, but not for long.

A claim ends with its process, however that ends. Decides how processes exclude each other; must not know what
is made.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

if sys.platform != "win32":
    import fcntl

PATIENCE_SECONDS = 5.0
"""How long another process may take before its work is done twice: it may have been stopped."""
_LOOK_SECONDS = 0.01


@contextmanager
def claimed(path: str | os.PathLike[str], is_made: Callable[[], bool], *, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path`; False if another process has it and we do not wait.

    Waiting ends as soon as `is_made`. Where files cannot be made or locked nobody excludes anybody.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError:
        yield True
        return
    try:
        end = time.monotonic() + (PATIENCE_SECONDS if wait else 0.0)
        while not (held := _lock(handle)) and time.monotonic() < end and not is_made():
            time.sleep(_LOOK_SECONDS)
        yield held or wait
    finally:
        _unlock(handle)
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether nobody else has the file locked, now that we tried; closing it ends the lock."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _unlock(handle: int) -> None:
    """End the lock, which a child that was forked meanwhile would go on holding."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
