"""Powers at the special cases of C, and literal exponents that become products and roots."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.llvm.power import power
from tests.runnable import runnable_targets
from tests.unit.llvm.written import formula

TARGET = targets.detect()
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    -2.0,
    0.5,
    -0.5,
    3.0,
    -3.0,
    1e30,
    -1e30,
    math.inf,
    -math.inf,
    math.nan,
    7.0,
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_cases(dtype: Any) -> None:
    pairs = np.array(list(itertools.product(EDGES, EDGES)))
    for a, b in (p.T.astype(dtype) for p in pairs.reshape(4, 64, 2)):
        got = formula(lambda x, y: power(x, y, TARGET), a, b)
        exact = np.power(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
        np.testing.assert_allclose(got, exact, rtol=2 * np.finfo(dtype).eps)
        assert np.all((np.signbit(got) == np.signbit(exact)) | np.isnan(exact))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, 4.0, 0.5, 0.75, -1.0, -2.0, -0.5, -0.75])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_literal_exponents_mean_the_same(exponent: float) -> None:
    x = np.array(EDGES)
    got = formula(lambda v: power(v, v.like(exponent), TARGET), x)
    np.testing.assert_allclose(got, np.power(x, np.full(16, exponent)), rtol=1e-15)


@pytest.mark.parametrize("exponent", [0.75, -0.75])
@pytest.mark.parametrize("target", runnable_targets(), ids=lambda target: target.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_three_quarters_of_any_float(exponent: float, target: Target, rng: np.random.Generator) -> None:
    x = np.array([*EDGES, *np.exp2(rng.uniform(-140, 127, 24)), *rng.uniform(0.5, 2, 24)], np.float32)
    got = formula(lambda v: power(v, v.like(exponent), target), x, target=target)
    exact = np.power(x.astype(np.float64), exponent).astype(np.float32)
    np.testing.assert_allclose(got, exact, rtol=2 * np.finfo(np.float32).eps)
    assert not np.signbit(got[~np.isnan(exact)]).any()


def test_a_double_power_keeps_its_digits() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0.5, 2, 64), rng.uniform(-900, 900, 64)
    exact = np.power(a.astype(np.longdouble), b.astype(np.longdouble))
    error = np.abs(formula(lambda x, y: power(x, y, TARGET), a, b) - exact) / np.spacing(
        np.abs(exact).astype(float)
    )
    assert error.max() < 1.1
