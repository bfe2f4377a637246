"""Weights for products with any of them: unsigned bytes in panels, and the sums of columns."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.kernels.product.pack import pack_b
from sardonyx.targets.x86_64 import isa

GOAL = Goal(isa.V3)


@pytest.mark.parametrize("batch", [(), (1,)])
def test_weights_are_more_by_128_and_their_sums_are_not(
    batch: tuple[int, ...], rng: np.random.Generator
) -> None:
    w = rng.integers(-128, 128, (*batch, 12, 35)).astype(np.int8)
    as_signed = pack_b(w, GOAL).view(np.int8).astype(int)[..., : 12 * 32]
    assert np.array_equal(pack_unsigned(w, GOAL).view(np.uint8)[..., : 12 * 32], as_signed + 128)
    totals = column_totals(w, GOAL)
    assert totals.shape == (40,)
    assert np.array_equal(totals[:35], w.reshape(12, 35).sum(0, dtype=int))
    assert not totals[35:].any()
