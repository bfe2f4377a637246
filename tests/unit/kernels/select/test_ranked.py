"""A short line in order: the places of its keys, the greatest first, and of equal ones by place."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.select.ranked import define_ranked, most_ranked
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V
from tests.runnable import runnable_targets
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
BITS = pytest.mark.parametrize("bits", [32, 64])


@cache
def made(bits: int, target: Target) -> Made:
    """The function for lines of keys."""
    key = f"i{bits}"

    def keys(f: Function, line: V, first: V, mask: V) -> V:
        return f.masked_load(f.gep(line, first, key), vector_of(key, mask.lanes), mask)

    return Made(lambda module: define_ranked(module, "t", keys, bits, target))


def check(keys: np.ndarray[Any, Any], target: Target) -> None:
    ranked, size = made(8 * keys.itemsize, target), keys.size
    places = guarded(np.zeros(size, keys.dtype), align=keys.itemsize)
    ranked.call(ranked.names, guarded(keys), size, places)
    assert np.array_equal(places, np.argsort(~keys, kind="stable"))


@TARGETS
@BITS
def test_random_keys(target: Target, bits: int) -> None:
    most = most_ranked(bits, target)
    rng = np.random.default_rng(bits)
    for size in (1, 2, 7, 8, 9, 16, 17, 33, most - 1, most):
        for different in (2, 20, 1 << bits):
            check(rng.integers(0, different, size, f"u{bits // 8}"), target)


@TARGETS
@BITS
def test_keys_at_both_ends(target: Target, bits: int) -> None:
    most = (1 << bits) - 1
    for keys in ([0] * 19, [most] * 19, [0, 1 << (bits - 1), (1 << (bits - 1)) - 1, most] * 6):
        check(np.array(keys, f"u{bits // 8}"), target)
