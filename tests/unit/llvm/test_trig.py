"""Trigonometric functions at the places where they are easiest to get wrong; errors are in test_mathfn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.llvm import trig
from tests.unit.llvm.written import formula

TARGET = targets.detect()
FUNCTIONS = {
    trig.sin: np.sin,
    trig.cos: np.cos,
    trig.tan: np.tan,
    trig.asin: np.arcsin,
    trig.acos: np.arccos,
    trig.atan: np.arctan,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_edges(function: Callable[..., Any], dtype: Any) -> None:
    x = np.array(
        [0, -0.0, 1, -1, 0.5, -0.5, 0.70710678, 1e-30, -1e-30, np.inf, -np.inf, np.nan, 2, -2, 1e10, 3], dtype
    )
    got = formula(lambda v: function(v, TARGET), x)
    exact = FUNCTIONS[function](x.astype(np.longdouble))
    np.testing.assert_allclose(got, exact.astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=1e-40)
    zero = x == 0
    assert np.array_equal(np.signbit(got[zero]), np.signbit(exact[zero])), "the sign of zero stays"


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, -1])
def test_sine_and_cosine_are_a_quarter_apart(turns: int) -> None:
    x = np.linspace(-1, 1, 16) + turns * np.pi / 2
    sine, cosine = (formula(lambda v, f=f: f(v, TARGET), x) for f in (trig.sin, trig.cos))
    np.testing.assert_allclose(sine**2 + cosine**2, 1, rtol=1e-15)
    np.testing.assert_allclose(formula(lambda v: trig.tan(v, TARGET), x), sine / cosine, rtol=1e-14)
