"""What is infinite or NaN reaches the sums that read it as in IEEE arithmetic, and no others."""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.digits.special import Code
from tests.unit.kernels.digits.tiled import tile_of


def test_special_numbers_are_those_of_ieee(rng: np.random.Generator) -> None:
    a = rng.standard_normal((32, 128)).astype(np.float32)
    b = rng.standard_normal((128, 32)).astype(np.float32)
    b[77, 5], b[90] = 0, 1e-30
    a[2, 77], a[3, 1], a[17, 90], a[18, 4], a[18, 100] = np.inf, np.nan, -np.inf, np.inf, -np.inf
    codes = np.select(
        [np.isnan(a), a == np.inf, a == -np.inf], [Code.NAN, Code.INFINITE, Code.NEGATIVE], Code.NONE
    )
    with np.errstate(invalid="ignore"):
        exact = a.astype(np.float64) @ b
    got = tile_of(np.where(np.isfinite(a), a, 0), b, 16, codes)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert np.abs(got[finite] - exact[finite]).max() < 1e-4
    assert not finite[[2, 3, 17, 18]].any()
