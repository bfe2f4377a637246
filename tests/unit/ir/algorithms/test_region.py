"""Regions are pooled and aligned as their definitions say, on pictures whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.region import col2im, max_roi_pool, roi_align

RAMP = (np.arange(6)[:, None] * 10.0 + np.arange(8)).astype(np.float64)[None, None]


def align(*roi: float, **attrs: Any) -> Any:
    given: dict[str, Any] = {"pooled": (1, 1), "scale": 1.0, "ratio": 2, "offset": 0.5, "mode": "avg"}
    return roi_align(RAMP, np.array([roi]), np.array([0]), **{**given, **attrs})[0, 0]


def test_pools_of_rounded_corners() -> None:
    rois = np.array([[0, 1, 1, 4, 2], [0, 2.5, 0, 2.5, 0]], np.float64)
    got = max_roi_pool(RAMP, rois, pooled=(2, 2), scale=1.0)
    assert got[0, 0].tolist() == [[12, 14], [22, 24]]
    assert got[1, 0].tolist() == [[3, 3], [3, 3]], "2.5 is rounded away from 0"
    outside = max_roi_pool(RAMP, np.array([[0, 90.0, 90, 95, 95]]), pooled=(1, 1), scale=1.0)
    assert outside[0, 0, 0, 0] == 0, "a cell without a pixel"


def test_the_mean_of_a_linear_picture_is_its_value_at_the_centre() -> None:
    assert align(2, 1, 6, 5).item() == pytest.approx(10 * (3 - 0.5) + (4 - 0.5))
    cells = align(2, 1, 6, 5, pooled=(2, 2))
    assert cells[1, 1] - cells[0, 0] == pytest.approx(22)
    assert align(4, 2, 12, 10, scale=0.5).item() == pytest.approx(align(2, 1, 6, 5).item())


def test_a_region_without_width_is_one_pixel_if_corners_are_pixels() -> None:
    assert align(3, 3, 3, 3, offset=0.0, ratio=1).item() == pytest.approx(33 + 5.5)
    assert align(3, 3, 3, 3, ratio=0).item() == 0, "no sample lies in it"


def test_what_lies_outside_counts_as_zero() -> None:
    assert align(-20, -20, -10, -10).item() == 0
    assert 0 < align(-4, 1, 4, 5).item() < align(0, 1, 4, 5).item() + 10


def test_columns_are_added_up_to_images() -> None:
    columns = np.arange(1, 9, dtype=np.float64).reshape(1, 4, 2)
    attrs: dict[str, Any] = {"positions": (1, 2), "strides": (1, 1), "dilations": (1, 1), "low": (0, 0)}
    got = col2im(columns, kernel=(2, 2), out=(2, 3), **attrs)[0, 0]
    expected = np.zeros((2, 3))
    for tap, (i, j) in enumerate(np.ndindex(2, 2)):
        for position in range(2):
            expected[i, position + j] += columns[0, tap, position]
    assert np.array_equal(got, expected)
