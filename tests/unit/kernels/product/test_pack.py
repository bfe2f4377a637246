"""A constant right operand is laid out in panels; its parts are laid out as the whole is."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b, packed_shape, parts_b
from sardonyx.targets.x86_64 import isa

TYPES = [np.float32, np.float64]


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("dims", [(3, 1), (5, 16), (7, 65), (4, 200), (2, 3, 40), (2, 2, 1, 130)])
def test_parts_are_laid_out_as_the_whole(
    target: targets.Target, dtype: type, dims: tuple[int, ...], rng: np.random.Generator
) -> None:
    goal = Goal(target)
    w = rng.standard_normal(dims).astype(dtype)
    whole = pack_b(w, goal)
    assert whole.shape == packed_shape(dims, w.dtype, goal)
    assert whole.__array_interface__["data"][0] % 64 == 0
    parts = [pack_b(part, goal).reshape(-1) for part in parts_b(w, goal)]
    assert np.array_equal(np.concatenate(parts), whole.reshape(-1))
    assert np.array_equal(np.sort(whole[whole != 0]), np.sort(w[w != 0]))
