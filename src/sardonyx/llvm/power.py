"""Powers of floats."""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm.lanes import Lanes


def power(x: Lanes, y: Lanes, target: Target) -> Lanes:
    raise NotImplementedError
