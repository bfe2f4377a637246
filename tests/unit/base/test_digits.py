"""Whole numbers beyond 24 bits are told; fractions, and what float32 holds, are not."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.digits import lost_digits


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, (1 << 24) + 1], "16777217 becomes 16777216 in float32"),
        ([-(1 << 24) - 1], "-16777217 becomes -16777216 in float32"),
        ([1 << 24, (1 << 24) + 2, 1 << 60], ""),
        ([16777217.5, 0.1, np.nan, np.inf, 1e300], ""),
        ([], ""),
    ],
)
def test_lost(numbers: list[float], said: str) -> None:
    assert lost_digits(np.array(numbers, np.float64)) == said
