"""Transforms are right in exact arithmetic, whatever the numbers.

Both sides are linear in inputs and in weights: they are equal for all numbers if they are for each input and
weight alone.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product as pairs

import pytest

from sardonyx.kernels.winograd.cook_toom import (
    POINTS,
    WHOLE_POINTS,
    Transforms,
    stepped_transforms,
    transforms,
    whole_transforms,
)

ALL, WHOLE = (
    pytest.mark.parametrize(
        ("outputs", "taps"), [(n + 1 - taps, taps) for n in sorted(of) for taps in (1, 3, 5, 7) if taps <= n]
    )
    for of in (POINTS, WHOLE_POINTS)
)


def products(t: Transforms, i: int, k: int) -> list[Fraction]:
    """The results where input i and weight k are 1, all others 0."""
    points = [x[i] * w[k] for x, w in zip(t.data, t.weights, strict=True)]
    return [sum((r * p for r, p in zip(row, points, strict=True)), Fraction(0)) for row in t.result]


def direct(t: Transforms, i: int, k: int) -> list[int]:
    return [int(i == at + k) for at in range(t.outputs)]


@ALL
def test_products_of_points_are_sums_over_windows(outputs: int, taps: int) -> None:
    t = transforms(outputs, taps)
    for i, k in pairs(range(t.inputs), range(taps)):
        assert products(t, i, k) == direct(t, i, k)


@pytest.mark.parametrize("outputs", [2, 4])
def test_results_two_inputs_apart(outputs: int) -> None:
    t = stepped_transforms(outputs, 3)
    assert (t.outputs, t.inputs, t.taps) == (outputs, 2 * outputs + 1, 3)
    for i, k in pairs(range(t.inputs), range(3)):
        assert products(t, i, k) == [int(i == 2 * at + k) for at in range(outputs)]
    for entry in (e for matrix in (t.data, t.result) for row in matrix for e in row):
        assert entry.denominator & (entry.denominator - 1) == 0


@ALL
def test_one_product_an_input_which_is_the_fewest(outputs: int, taps: int) -> None:
    t = transforms(outputs, taps)
    assert (t.outputs, t.inputs, t.taps) == (outputs, outputs + taps - 1, taps)
    assert [len(t.data[0]), len(t.weights[0]), len(t.result[0])] == [t.inputs, taps, t.inputs]


@ALL
def test_what_is_done_in_single_precision_has_exact_factors(outputs: int, taps: int) -> None:
    t = transforms(outputs, taps)
    for entry in (e for matrix in (t.data, t.result) for row in matrix for e in row):
        assert entry.denominator & (entry.denominator - 1) == 0
        assert abs(entry.numerator) < 1 << 24


def test_known_matrices() -> None:
    t = transforms(2, 3)
    assert t.data == ((-1, 0, 1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
    assert t.result == ((1, 1, 1, 0), (0, 1, -1, 1))
    half = Fraction(1, 2)
    assert t.weights == ((-1, 0, 0), (half, half, half), (half, -half, half), (0, 0, 1))


@WHOLE
def test_integers_give_multiples_of_sums(outputs: int, taps: int) -> None:
    t = whole_transforms(outputs, taps)
    entries = [e for matrix in (t.data, t.weights, t.result) for row in matrix for e in row]
    assert all(e.denominator == 1 for e in entries)
    for i, k in pairs(range(t.inputs), range(taps)):
        assert products(t, i, k) == [t.divisor * number for number in direct(t, i, k)]


def test_known_matrices_of_integers() -> None:
    t = whole_transforms(4, 3)
    assert t.weights == ((1, 0, 0), (1, 1, 1), (1, -1, 1), (1, 2, 4), (1, -2, 4), (0, 0, 1))
    assert t.data[0] == (4, 0, -5, 0, 1, 0)
    assert (t.result[0], t.divisor) == ((6, -4, -4, 1, 1, 0), 24)
    assert whole_transforms(2, 3).divisor == 2
