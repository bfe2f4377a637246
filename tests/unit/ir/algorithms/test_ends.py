"""What both ends of ranges are."""

from __future__ import annotations

import numpy as np

from sardonyx.ir.algorithms.ends import ends


def test_the_largest_and_the_largest_opposite_of_all_behind_an_axis() -> None:
    x = np.array([[[1, -2], [3, 0]], [[-5, -4], [-6, -7]]], np.float32)
    np.testing.assert_array_equal(ends(x, axis=1), [[3, 2], [-4, 7]])
    np.testing.assert_array_equal(ends(x, axis=2), [[[1, 2], [3, 0]], [[-4, 5], [-6, 7]]])
    assert ends(x, axis=1).dtype == np.float32


def test_nothing_has_no_ends() -> None:
    np.testing.assert_array_equal(ends(np.zeros((2, 0), np.float32), axis=1), np.full((2, 2), -np.inf))
    assert ends(np.zeros((0, 3), np.float32), axis=1).shape == (0, 2)


def test_what_is_no_number_wins() -> None:
    found = ends(np.array([[1, np.nan, np.inf], [1, np.inf, 0]], np.float32), axis=1)
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [np.inf, 0]])
