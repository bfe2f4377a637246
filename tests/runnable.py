"""Which targets this machine can execute; tests run on those and skip the rest by name."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.errors import TargetError
from sardonyx.targets.x86_64 import isa


def runnable_targets() -> list[Target]:
    """The levels that this machine can execute, and no more than the environment asks for."""
    best = targets.detect()
    return [t for t in isa.TARGETS if set(t.features) <= set(best.features)]


def need(target: Target) -> Target:
    """The target; skips the test if this machine cannot execute it."""
    try:
        return targets.executable(target)
    except TargetError as error:
        pytest.skip(str(error))
