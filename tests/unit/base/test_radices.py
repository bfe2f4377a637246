"""Lengths of transforms are taken apart into stages."""

from __future__ import annotations

import math

import pytest

from sardonyx.base.radices import is_smooth, radices


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 32, 160, 200, 240, 1440, 2048])
def test_stages_multiply_to_the_length(count: int) -> None:
    assert math.prod(radices(count)) == count
    assert set(radices(count)) <= {2, 3, 4, 5}
    assert radices(count).count(2) <= 1


@pytest.mark.parametrize("count", [7, 22, 26, 4097])
def test_other_primes_have_no_stages(count: int) -> None:
    assert not radices(count)


def test_lengths_of_real_spectra() -> None:
    assert [n for n in range(300, 420) if is_smooth(n)] == [320, 384, 400]
    assert not is_smooth(32)
    assert not is_smooth(8192)
    assert is_smooth(64)
    assert is_smooth(4096)
