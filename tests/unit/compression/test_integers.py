"""Points and scales: how far off a number can be."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.compression.integers import blocks, signed, unsigned
from tests.unit.compression.models import drawn


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("bits", [7, 8])
def test_points_are_half_a_step_off_at_most(axis: int | None, bits: int) -> None:
    weight = drawn(6, 9) * np.logspace(-20, 3, 9).astype(np.float32)
    points, scale = signed(weight, axis, bits)
    shape = [1, 1]
    if axis is not None:
        shape[axis] = -1
    assert np.abs(points).max() == 2 ** (bits - 1) - 1
    assert np.all(np.abs(points * scale.reshape(shape) - weight) <= 0.5001 * scale.reshape(shape))


def test_columns_of_zeros_and_denormals_have_a_scale() -> None:
    points, scale = signed(np.array([[0, 1e-42], [0, -1e-42]], np.float32), 1)
    assert np.all(scale > 0)
    assert np.all(np.isfinite(scale))
    assert not points[:, 0].any()


@pytest.mark.parametrize(("low", "high"), [(0.5, 2), (-3, -1), (-1, 1), (0, 0), (-1e-42, 1e-42)])
def test_zero_is_a_point(low: float, high: float) -> None:
    scale, zero = unsigned(low, high)
    assert scale > 0
    assert zero.dtype == np.uint8
    for value in (0.0, low, high):
        point = np.clip(np.rint(value / scale) + zero, 0, 255)
        assert abs((point - zero) * scale - value) <= 0.51 * scale


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("depth", [32, 40, 5])
def test_blocks_read_back_are_the_weight(bits: int, symmetric: bool, depth: int) -> None:
    weight = drawn(depth, 3) + np.float32(0.5)
    points, scale, zeros = blocks(weight, 16, bits, symmetric)
    count = -(-depth // 16)
    assert points.shape == (3, count, 16 * bits // 8)
    values = _unpacked(points, bits)
    middle = np.full((3, count), 2 ** (bits - 1)) if zeros is None else _unpacked(zeros, bits)[:, :count]
    back = ((values.astype(float) - middle[..., None]) * scale[..., None]).reshape(3, -1)[:, :depth].T
    step = np.repeat(np.abs(scale), 16, 1)[:, :depth].T
    assert np.all(np.abs(back - weight) <= 1.01 * step)
    assert np.mean(np.abs(back - weight) <= 0.51 * step) > 0.85


def _unpacked(points: np.ndarray, bits: int) -> np.ndarray:
    if bits == 8:
        return points
    return np.stack([points & 15, points >> 4], -1).reshape(*points.shape[:-1], -1)
