"""Ranges of activations: all numbers, all but the rarest, and by divergence."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.compression.calibration import CalibrationError, ranges
from tests.unit.compression.models import drawn, model

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N] x) => (float[N] y) { a = Relu (x)  y = Neg (a) }"""


def _ranges(*samples: np.ndarray, **options: object) -> dict[str, tuple[float, float]]:
    return ranges(model(TEXT), ["x", "a"], [{"x": sample} for sample in samples], **options)


def test_all_numbers_of_all_samples_count() -> None:
    found = _ranges(np.float32([1, -2]), np.float32([]), np.float32([5]))
    assert found == {"x": (-2.0, 5.0), "a": (0.0, 5.0)}


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_rare_numbers_are_left_out(method: str) -> None:
    values = drawn(100_000)
    values[0] = 1000
    low, high = _ranges(values, method=method, percentile=99.9)["x"]
    assert 2 < high < 100
    assert -10 < low < -2


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_one_number_is_a_range(method: str) -> None:
    low, high = _ranges(np.full(10, 3, np.float32), method=method)["x"]
    assert low <= 3 <= high


def test_entropy_keeps_what_is_evenly_spread() -> None:
    low, high = _ranges(np.linspace(-1, 1, 50_000, dtype=np.float32), method="entropy")["x"]
    assert low < -0.95
    assert high > 0.95


def test_entropy_does_not_clip_numbers_for_the_zeros_beside_them() -> None:
    """Half of what a ReLU gives are zeros; for these one in eleven other numbers was clipped."""
    values = drawn(100_000)
    found = _ranges(values, method="entropy")
    assert found["a"][0] == 0 and found["a"][1] > 3
    none = _ranges(np.full(10, -1, np.float32), method="entropy")["a"]
    assert none[0] <= 0 <= none[1]


def test_what_says_nothing_is_refused() -> None:
    with pytest.raises(CalibrationError, match="need samples"):
        _ranges()
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(CalibrationError, match=f"the tensor x holds {wrong} on"):
            _ranges(np.float32([1, wrong]))


@pytest.mark.parametrize("percentile", [0, -1, 100.1, float("nan")])
def test_impossible_percentiles_are_refused(percentile: float) -> None:
    with pytest.raises(CalibrationError, match="a percentile of"):
        _ranges(np.float32([1]), method="percentile", percentile=percentile)


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_samples_without_numbers_are_refused(method: str) -> None:
    with pytest.raises(CalibrationError, match="the samples hold no numbers"):
        _ranges(np.zeros(0, np.float32), method=method)


def test_numbers_that_stand_for_infinity_have_no_range() -> None:
    assert _ranges(np.float32([-3e38, 1])) == {"a": (0.0, 1.0)}
