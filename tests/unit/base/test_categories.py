"""Cells are found among categories by text or by value; what is none of them has no place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.categories import places


@pytest.mark.parametrize(
    ("categories", "cells", "expected"),
    [
        (["x", "y"], ["y", "x", "z", "", None, np.nan], [1, 0, *[np.nan] * 4]),
        (["x", "y"], [1, "0", np.float32(1)], [1, 0, 1]),
        (["1.0", "2.5"], ["1", 1, "1.0", np.float64(2.5), "2.50", 7], [0, 0, 0, 1, 1, np.nan]),
        (["5", "9", "other"], [9, "other", 0, "nan"], [1, 2, np.nan, np.nan]),
        (["01", "1"], ["01", "1"], [0, 1]),
        (["False", "True"], [True, "True", np.bool_(False)], [1, 1, 0]),
        (["nan", "None"], ["nan", "None", np.nan, np.float32("nan"), None], [0, 1, *[np.nan] * 3]),
    ],
)
def test_places(categories: list[str], cells: list[Any], expected: list[float]) -> None:
    assert np.array_equal(places(cells, categories), expected, equal_nan=True)
