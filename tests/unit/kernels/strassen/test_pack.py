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
def test_each_value_is_a_difference_of_quarters_and_of_those_before(target: isa.Target) -> None:
    goal = Goal(target)
    columns = TileShape.of(goal, "f32").columns
    w = drawn(64, 5 * columns + 3)
    packed = pack_sums(w, goal)
    assert packed.shape == sums_shape(w.shape, goal) == (2 * 4 * 32 * columns,)
    assert packed.ctypes.data % 64 == 0
    for pair, sums in enumerate(packed.reshape(2, 4, 32, columns)):
        left, right = (w[:, (2 * pair + side) * columns :][:, :columns] for side in (0, 1))
        b11, b12, b21, b22 = left[:32], right[:32], left[32:], right[32:]
        first = b12 - b11
        second = b22 - first
        for ours, theirs in zip(sums, (second - b21, first, second, b22 - b12), strict=True):
            assert np.array_equal(ours, theirs)


@TARGETS
def test_parts_one_after_the_other_are_the_whole(target: isa.Target) -> None:
    goal = Goal(target)
    columns = TileShape.of(goal, "f32").columns
    w = drawn(1, (1 << 19) // (4 * columns), 7 * columns)
    pieces = [pack_sums(part, goal) for part in parts(w, goal)]
    assert [piece.nbytes for piece in pieces] == [1 << 20] * 3
    assert len(list(parts(w[:, :64], goal))) == 1, "threads are not asked for little at a time"
    assert np.array_equal(np.concatenate(pieces), pack_sums(w, goal))
    assert np.array_equal(pack_sums(w[0], goal), pack_sums(w, goal))
