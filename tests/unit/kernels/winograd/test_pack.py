"""Transformed weights: the values, and where each is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.winograd.cook_toom import transforms
from sardonyx.kernels.winograd.pack import pack_winograd_weights
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("outputs", [2, 4])
def test_each_value_is_the_nearest_float_to_the_exact_one(target: isa.Target, outputs: int) -> None:
    rng = np.random.default_rng(7)
    w = rng.standard_normal((33, 5, 3, 3)).astype(np.float32)
    g = transforms(outputs).weights
    points = np.zeros((len(g) ** 2, 5, 48), np.float32)
    for o, c in np.ndindex(33, 5):
        exact = [[Fraction(float(v)) for v in row] for row in w[o, c]]
        for i, rows in enumerate(g):
            for j, columns in enumerate(g):
                terms = (rows[r] * columns[s] * exact[r][s] for r in range(3) for s in range(3))
                points[i * len(g) + j, c, o] = float(sum(terms, Fraction(0)))
    packed = pack_winograd_weights(w, outputs, Goal(target))
    np.testing.assert_array_max_ulp(packed, pack_b(points, Goal(target)), maxulp=1)
    assert np.count_nonzero(packed != pack_b(points, Goal(target))) < packed.size // 1000
    assert packed.ctypes.data % 64 == 0
