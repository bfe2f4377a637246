"""Trigonometric functions."""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm.lanes import Lanes


def _todo(x: Lanes, target: Target) -> Lanes:
    raise NotImplementedError


sin = cos = tan = asin = acos = atan = sinh = cosh = asinh = acosh = atanh = _todo
