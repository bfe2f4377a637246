"""Formulas of SSA values mean what the same formulas of numpy mean, lane by lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.llvm.lanes import Lanes, any_lane
from tests.unit.llvm.written import formula, run

X = np.array([-2.5, -0.0, 0.0, 0.5, 1.5, 3.0, np.nan, np.inf], np.float32)
Y = np.array([2.0, 1.0, -1.0, 0.5, np.nan, -3.0, 1.0, 2.0], np.float32)
N = np.array([-7, -1, 0, 1, 2, 5, 2**31 - 1, -(2**31)], np.int32)
M = np.array([3, 2, 1, -1, 7, 5, 1, 2], np.int32)


@pytest.mark.parametrize(
    "write",
    [
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: x * y,
        lambda x, y: x / y,
        lambda x, y: 2.0 - x * 3.0 + (1.0 / y),
        lambda x, y: -x + 0.5,
    ],
)
def test_arithmetic_of_floats(write: Callable[[Any, Any], Any]) -> None:
    with np.errstate(all="ignore"):
        expected = write(X, Y).astype(np.float32)
    assert np.array_equal(formula(write, X, Y), expected, equal_nan=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda x, y: x + y,
        lambda x, y: 3 - x,
        lambda x, y: x * y,
        lambda x, y: (x & y) | (x ^ 5),
        lambda x, y: ~x,
        lambda x, y: -x,
        lambda x, y: (x >> 2) + (y << 3),
    ],
)
def test_arithmetic_of_integers(write: Callable[[Any, Any], Any]) -> None:
    with np.errstate(all="ignore"):
        assert np.array_equal(formula(write, N, M), write(N, M))


def test_division_of_integers_goes_toward_zero() -> None:
    assert formula(lambda x, y: x / y, N, M).tolist() == [
        int(int(n) / int(m)) for n, m in zip(N, M, strict=True)
    ]
    assert formula(lambda x: x.shift_right(28), N).tolist() == (N.view(np.uint32) >> 28).tolist()


@pytest.mark.parametrize("name", ["__lt__", "__le__", "__gt__", "__ge__"])
def test_comparisons_with_nan_are_false(name: str) -> None:
    got = formula(lambda x, y: getattr(x, name)(y), X, Y)
    assert np.array_equal(got, getattr(X, name)(Y))
    assert np.array_equal(formula(lambda x: getattr(x, name)(1), N), getattr(N, name)(1))


def test_questions_about_numbers() -> None:
    assert np.array_equal(formula(lambda x: x.is_nan(), X), np.isnan(X))
    assert np.array_equal(formula(lambda x: x.not_zero(), X), X != 0)
    assert np.array_equal(formula(lambda x, y: x.equals(y), X, Y), X == Y)


def test_bounds_leave_nan() -> None:
    assert np.array_equal(
        formula(lambda x: x.at_least(0.25), X), np.maximum(X, np.float32(0.25)), equal_nan=True
    )
    assert np.array_equal(
        formula(lambda x: x.at_most(0.25), X), np.minimum(X, np.float32(0.25)), equal_nan=True
    )
    got = formula(lambda x, y: (x < y).choose(x, 9.0), X, Y)
    assert np.array_equal(got, np.where(X < Y, X, np.float32(9)), equal_nan=True)


def test_intrinsics() -> None:
    tiny = np.float32(2**-24)
    one = np.full(4, 1 + 2 * tiny, np.float32)
    assert formula(lambda x: x.fma(x, -1.0), one)[0] == np.float32((1 + 2.0**-23) ** 2 - 1), "one rounding"
    halves = np.array([0.5, 1.5, 2.5, -0.5], np.float64)
    assert formula(lambda x: x.round(), halves).tolist() == [0, 2, 2, -0.0]
    assert formula(lambda x: x.abs().sqrt(), halves).tolist() == np.sqrt(np.abs(halves)).tolist()
    assert formula(lambda x: x.like(2).copysign(x), halves).tolist() == [2, 2, 2, -2]
    assert formula(lambda x: x.bits(), halves).tolist() == halves.view(np.int64).tolist()
    assert formula(lambda x: x.convert("fptrunc", "float"), halves).dtype == np.float32


@pytest.mark.parametrize("terms", [1, 2, 15, 16, 17])
def test_polynomials_of_any_length(terms: int) -> None:
    ascending = [1 / (n + 1) for n in range(terms)]
    x = np.linspace(-1, 1, 8)
    np.testing.assert_allclose(
        formula(lambda v: v.polynomial(ascending), x), np.polyval(ascending[::-1], x), 1e-14
    )


def test_any_lane_is_one_truth_of_all() -> None:
    for x in (np.zeros(8, np.int32), np.eye(8, dtype=np.int32)[5], np.ones(1, np.int32)):
        (got,) = run(lambda f, v: [any_lane(f, Lanes(f, v).not_zero().v)], x)
        assert got.tolist() == [bool(x.any())]
