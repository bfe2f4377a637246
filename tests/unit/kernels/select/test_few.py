"""Few of a short line come in order, the greatest first, and of equal ones those that come first."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.select.few import FEW, SHORT, define_few
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V
from tests.runnable import runnable_targets
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


@cache
def made(target: Target) -> Made:
    """The function for lines of keys."""

    def keys(f: Function, line: V, first: V, mask: V) -> V:
        return f.masked_load(f.gep(line, first, "i32"), vector_of("i32", mask.lanes), mask)

    return Made(lambda module: define_few(module, "t", keys, target))


def check(keys: np.ndarray[Any, Any], target: Target) -> None:
    line, few = guarded(keys), made(target)
    for k in {1, min(2, keys.size), min(5, keys.size), min(FEW, keys.size)}:
        best = guarded(np.zeros(k, np.uint64), align=8)
        few.call(few.names, line, keys.size, k, best)
        order = np.argsort(~keys, kind="stable")[:k]
        assert np.array_equal(best >> np.uint64(32), keys[order])
        assert np.array_equal(~best.astype(np.uint32), order)


@TARGETS
@pytest.mark.parametrize("size", [1, 7, 8, 16, 33, SHORT - 1, SHORT])
def test_random_keys(target: Target, size: int) -> None:
    rng = np.random.default_rng(size)
    for different in (2, 20, 2**32):
        check(rng.integers(0, different, size, np.uint32), target)


@TARGETS
def test_keys_at_both_ends(target: Target) -> None:
    """The least key is one as any other, though nothing is below it; none is above the greatest."""
    check(np.zeros(19, np.uint32), target)
    check(np.full(19, 2**32 - 1, np.uint32), target)
    check(np.array([0, 2**31, 2**31 - 1, 2**32 - 1] * 6, np.uint32), target)
