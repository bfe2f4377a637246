"""The two ways of a run: by Python alone, or from the second time on by the shortcut, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from sardonyx.ort import session
from sardonyx.ort.session import Session
from sardonyx.runtime import interpreter, shortcut

WAYS = ("python", "shortcut")


@contextmanager
def going(way: str) -> Iterator[None]:
    """Make sessions run in one way: the shortcut takes sizes up at once, and each run is done twice."""
    run = Session.run

    @wraps(run)
    def twice(self: Session, *args: Any, **kwargs: Any) -> list[Any]:
        run(self, *args, **kwargs)
        return run(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        often = 1 if way == "shortcut" else 1 << 62
        patch.setattr(shortcut, "AFTER", often)
        patch.setattr(session, "FIRST_RUNS", often)
        if way == "shortcut":
            patch.setattr(Session, "run", twice)
        yield


def knows(made: Session) -> int:
    """How many sets of sizes the shortcut of a session has taken up."""
    held = getattr(made._call, "__self__", None)
    return len(held.owner._rows.known) if isinstance(held, interpreter.Held) else 0
