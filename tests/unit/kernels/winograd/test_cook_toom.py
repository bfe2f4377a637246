"""Transforms are right in exact arithmetic, whatever the numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.kernels.winograd.cook_toom import POINTS, WHOLE_POINTS, Matrix, transforms, whole_transforms

ALL, WHOLE = (
    pytest.mark.parametrize(
        ("outputs", "taps"), [(n + 1 - taps, taps) for n in sorted(of) for taps in (1, 3, 5, 7) if taps <= n]
    )
    for of in (POINTS, WHOLE_POINTS)
)


def product(matrix: Matrix, values: list[Fraction]) -> list[Fraction]:
    return [sum((m * v for m, v in zip(row, values, strict=True)), Fraction(0)) for row in matrix]


@ALL
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_products_of_points_are_sums_over_windows(outputs: int, taps: int, data: st.DataObject) -> None:
    t = transforms(outputs, taps)
    x = data.draw(st.lists(st.fractions(), min_size=t.inputs, max_size=t.inputs))
    w = data.draw(st.lists(st.fractions(), min_size=taps, max_size=taps))
    points = zip(product(t.weights, w), product(t.data, x), strict=True)
    direct = [sum((w[k] * x[i + k] for k in range(taps)), Fraction(0)) for i in range(outputs)]
    assert product(t.result, [a * b for a, b in points]) == direct


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
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_integers_give_multiples_of_sums(outputs: int, taps: int, data: st.DataObject) -> None:
    t = whole_transforms(outputs, taps)
    entries = [e for matrix in (t.data, t.weights, t.result) for row in matrix for e in row]
    assert all(e.denominator == 1 for e in entries)
    x = data.draw(st.lists(st.fractions(), min_size=t.inputs, max_size=t.inputs))
    w = data.draw(st.lists(st.fractions(), min_size=taps, max_size=taps))
    points = zip(product(t.weights, w), product(t.data, x), strict=True)
    direct = [t.divisor * sum((w[k] * x[i + k] for k in range(taps)), Fraction(0)) for i in range(outputs)]
    assert product(t.result, [a * b for a, b in points]) == direct


def test_known_matrices_of_integers() -> None:
    t = whole_transforms(4, 3)
    assert t.weights == ((1, 0, 0), (1, 1, 1), (1, -1, 1), (1, 2, 4), (1, -2, 4), (0, 0, 1))
    assert t.data[0] == (4, 0, -5, 0, 1, 0)
    assert (t.result[0], t.divisor) == ((6, -4, -4, 1, 1, 0), 24)
    assert whole_transforms(2, 3).divisor == 2
