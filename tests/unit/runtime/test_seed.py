"""A seed fixes the numbers that follow, whatever its size or sign."""

from __future__ import annotations

import pytest

from sardonyx.base.abi import RandomState
from sardonyx.runtime import seed


@pytest.mark.parametrize("number", [0, 7, -1, 2**63, 2**64 + 5])
def test_seeds(number: int) -> None:
    before = seed.STATE.copy()
    try:
        seed.set_seed(number)
        assert seed.STATE[RandomState.SEEDED] == 1
        assert int(seed.STATE[RandomState.STATE]) % (1 << 64) == number % (1 << 64)
    finally:
        seed.STATE[:] = before
