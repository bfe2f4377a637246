"""Sums of quarters of weights: the values, and where each is."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.strassen.pack import pack_sums, parts, sums_shape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.targets.x86_64 import isa

TARGETS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


@TARGETS
def test_each_value_is_the_nearest_float_to_the_exact_one(target: isa.Target) -> None:
    goal = Goal(target)
    columns = TileShape.of(goal, "f32").columns
    w = drawn(64, 5 * columns + 3)
    packed = pack_sums(w, goal)
    assert packed.shape == sums_shape(w.shape, goal) == (2 * 4 * 32 * columns,)
    assert packed.ctypes.data % 64 == 0
    for pair, sums in enumerate(packed.reshape(2, 4, 32, columns)):
        left, right = (w[:, (2 * pair + side) * columns :][:, :columns].astype(np.float64) for side in (0, 1))
        b11, b12, b21, b22 = left[:32], right[:32], left[32:], right[32:]
        exact = (b22 - b12 + b11 - b21, b12 - b11, b22 - b12 + b11, b22 - b12)
        for ours, theirs in zip(sums, exact, strict=True):
            np.testing.assert_array_max_ulp(ours, theirs.astype(np.float32), maxulp=1)


@TARGETS
def test_parts_one_after_the_other_are_the_whole(target: isa.Target) -> None:
    goal = Goal(target)
    w = drawn(1, 64, 7 * TileShape.of(goal, "f32").columns)
    pieces = [pack_sums(part, goal) for part in parts(w, goal)]
    assert len(pieces) == 3
    assert np.array_equal(np.concatenate(pieces), pack_sums(w, goal))
    assert np.array_equal(pack_sums(w[0], goal), pack_sums(w, goal))
