"""Dot products of small integers are exact, at the ends of their range too, on every target."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.llvm.products import add_products, depth_of
from tests.runnable import runnable_targets
from tests.unit.llvm.written import run


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("depth", [2, 4])
def test_sums_are_exact(target: Target, depth: int) -> None:
    if depth == 4 and depth_of(target) == 2:
        depth = 2
    lanes, rng = target.lanes, np.random.default_rng(depth)
    total = rng.integers(-(2**20), 2**20, lanes, dtype=np.int32)
    left, right = (np.uint8, np.int8) if depth == 4 else (np.int16, np.int16)
    for low in (False, True):
        a = rng.integers(np.iinfo(left).min, np.iinfo(left).max, (lanes, depth), left, endpoint=True)
        b = rng.integers(np.iinfo(right).min, np.iinfo(right).max, (lanes, depth), right, endpoint=True)
        if low:
            a[:], b[:] = np.iinfo(left).max, np.iinfo(right).min
        (got,) = run(
            lambda f, t, x, y: [add_products(f, t, x, y, depth)],
            total,
            a.view(np.int32).ravel(),
            b.view(np.int32).ravel(),
            target=target,
        )
        exact = total + (a.astype(np.int64) * b).sum(1)
        assert np.array_equal(got, exact.astype(np.int32))
