"""The judge of all other tests is itself strict."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tests.tolerance import (
    assert_close,
    difference,
    difference_of_matrices,
    difference_of_models,
    difference_of_rounded_models,
    worse_than_peer,
)


def test_longer_sums_may_drift_further() -> None:
    right = np.array([1.0, 2.0], np.float32)
    off = right * np.float32(1 + 1e-5)
    assert difference(off, right) is not None
    assert difference(off, right, length=10_000) is None


def test_types_shapes_and_places_are_named() -> None:
    right = np.zeros((2, 3), np.float32)
    assert difference(right.astype(np.float64), right) == "type float64, expected float32"
    assert difference(right.T, right) == "shape [3, 2], expected [2, 3]"
    wrong = right.copy()
    wrong[1, 2] = 5
    assert "at [1, 2]: np.float64(5.0), expected np.float64(0.0)" in (difference(wrong, right) or "")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_not_a_number_and_infinity_must_be_in_the_same_places(dtype: type) -> None:
    right = np.array([1, np.nan, np.inf, -np.inf], dtype)
    assert_close(right, right)
    assert difference(right[[0, 1, 3, 2]], right) is not None
    assert difference(np.array([1, 1, np.inf, -np.inf], dtype), right) is not None


def test_integers_booleans_and_strings_must_be_equal() -> None:
    assert difference(np.array([1, 2]), np.array([1, 3])) is not None
    assert difference(np.array([True]), np.array([False])) is not None
    assert difference(np.array(["a"], object), np.array(["b"], object)) is not None


def test_models_are_judged_by_their_largest_value() -> None:
    right = np.array([100.0, 0.0], np.float32)
    assert difference_of_models(right + np.float32(0.009), right) is None
    assert difference_of_models(right + np.float32(0.02), right) is not None


def test_rounded_models_are_judged_by_all_their_values() -> None:
    right = np.ones(1000, np.float32)
    one_off, all_off, lost = right.copy(), right * np.float32(1.06), right.copy()
    one_off[3], lost[3] = 0.5, np.nan
    assert difference_of_rounded_models(one_off, right) is None
    assert difference_of_rounded_models(all_off, right) is not None
    assert difference_of_rounded_models(lost, right) is not None
    assert difference_of_rounded_models(np.array([1, 2]), np.array([1, 3])) is not None


def test_products_of_matrix_registers_are_judged_by_all_their_values() -> None:
    exact = np.array([1, -2, np.nan, np.inf], np.float32)
    for apart, term, bad in ((5e-6, 0.0, False), (2e-5, 0.0, True), (2e-5, 4.0, False), (np.nan, 4.0, True)):
        actual = exact * np.float32(1 + apart)
        assert bool(difference_of_matrices(actual, exact, "bf16x3", term)) == bad
    assert difference_of_matrices(exact[::-1], exact, "bf16x3", 4.0) is not None


def test_a_result_may_be_as_far_off_as_the_peers() -> None:
    exact = np.array([100.0, np.nan])
    near, far = (np.array([100 + d, np.nan], np.float32) for d in (0.01, 0.05))
    assert worse_than_peer(near, far, exact) is None
    assert worse_than_peer(far, near, exact) is not None
    assert worse_than_peer(np.array([1, 2]), np.array([1, 3]), np.array([1, 2])) is None
    assert worse_than_peer(np.array([1, 3]), np.array([1, 2]), np.array([1, 2])) is not None
