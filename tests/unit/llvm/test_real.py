"""Division, remainder, extrema and sign of floats at NaN, infinities and both zeros."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.llvm.real import divide, extremum, literal_of, remainder, sign
from tests.unit.llvm.written import Array, formula

EDGES = [0.0, -0.0, 1.0, -1.5, 7.0, math.inf, -math.inf, math.nan, 1e30, -1e-30]


def both(dtype: Any) -> tuple[Array, Array]:
    """All pairs of edges, filled up to a whole vector."""
    pairs = np.array([(a, b) for a in EDGES for b in EDGES])
    a, b = np.resize(pairs, (128, 2)).T
    return a.astype(dtype), b.astype(dtype)


def same(got: Array, expected: Array) -> bool:
    signs = (np.signbit(got) == np.signbit(expected)) | np.isnan(expected)
    return bool(np.array_equal(got, expected, equal_nan=True) and signs.all())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("floored", "exact"), [(False, np.fmod), (True, np.mod)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_remainders_are_exact(dtype: Any, floored: bool, exact: Callable[..., Array]) -> None:
    a, b = both(dtype)
    assert same(formula(lambda x, y: remainder(x, y, floored=floored), a, b), exact(a, b))
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 1 << 63, (2, 64)).astype(np.uint64)
    a, b = bits.view(np.float64).astype(dtype) if dtype is np.float64 else bits.view(np.float32)[:, ::2]
    assert same(formula(lambda x, y: remainder(x, y, floored=floored), a, b), exact(a, b))


@pytest.mark.parametrize("largest", [False, True])
def test_nan_wins_over_every_number(largest: bool) -> None:
    a, b = both(np.float32)
    exact = np.maximum if largest else np.minimum
    assert np.array_equal(
        formula(lambda x, y: extremum(x, y, largest=largest), a, b), exact(a, b), equal_nan=True
    )
    for known in (0.0, -2.0, math.inf, math.nan):
        for write in (
            lambda x, k=known: extremum(x, x.like(k), largest=largest),
            lambda x, k=known: extremum(x.like(k), x, largest=largest),
        ):
            assert np.array_equal(formula(write, a), exact(a, np.float32(known)), equal_nan=True)


def test_sign_keeps_nan() -> None:
    a, _ = both(np.float64)
    assert np.array_equal(formula(sign, a), np.sign(a), equal_nan=True)


@pytest.mark.parametrize("divisor", [2.0, -0.25, 3.0, 2.0**-120, 2.0**120, 0.0])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_known_divisor_gives_the_same_bits(divisor: float) -> None:
    a, _ = both(np.float32)
    assert same(formula(lambda x: divide(x, x.like(divisor)), a), a / np.float32(divisor))


def test_constants_are_recognised() -> None:
    found: list[float | None] = []

    def write(x: Any) -> Any:
        found.extend([literal_of(x.like(0.0)), literal_of(x.like(-1.5)), literal_of(x)])
        return x

    for lanes in (1, 4):
        formula(write, np.ones(lanes, np.float32))
    assert found == [0.0, -1.5, None] * 2
