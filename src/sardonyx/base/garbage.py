"""Work without searches for unreachable cycles: each walks over all that was made so far.

Modules and what a compilation makes either live on or end with their last reference.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside the block the collector does not run by itself; where threads meet in it, it may."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@cache
def spare_survivors() -> None:
    """Have the collector take all that there is for old, unseen: once, or cycles would never be found.

    Does nothing where objects are kept from the collector for good.
    """
    if hasattr(gc, "freeze") and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
