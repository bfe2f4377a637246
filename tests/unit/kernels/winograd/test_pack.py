"""Transformed weights: the values, and where each is."""

from __future__ import annotations

from math import lcm

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.kernels.digits.numbers import pack_digits
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.winograd.cook_toom import Matrix
from sardonyx.kernels.winograd.pack import at_once, pack_winograd_weights, winograd_shape
from sardonyx.kernels.winograd.scheme import ALL, FLOATS, WHOLE, Scheme, on_registers
from sardonyx.targets.x86_64 import isa

(TILE,) = (tile for tile in isa.V4.matrices if tile.name == "s8x6")


def whole(matrix: Matrix) -> tuple[np.ndarray, int]:
    """Whole numbers of any length, and what they are to be divided by."""
    by = lcm(*(value.denominator for row in matrix for value in row))
    return np.array([[int(value * by) for value in row] for row in matrix], object), by


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("scheme", FLOATS, ids=lambda s: s.name)
def test_each_value_is_the_nearest_float_to_the_exact_one(target: isa.Target, scheme: Scheme) -> None:
    rng = np.random.default_rng(7)
    w = rng.standard_normal((33, 5, *scheme.taps)).astype(np.float32)
    (down, by), (across, times) = whole(scheme.down.weights), whole(scheme.across.weights)
    exact = np.vectorize(int, [object])(w.astype(np.float64) * 2.0**149)
    points = np.zeros((scheme.points, 5, 48), np.float32)
    for o, c in np.ndindex(33, 5):
        points[:, c, o] = (down @ exact[o, c] @ across.T / (by * times << 149)).ravel()
    packed = pack_winograd_weights(w, scheme, Goal(target))
    assert packed.shape == winograd_shape(w.shape, scheme, Goal(target))
    np.testing.assert_array_max_ulp(packed, pack_b(points, Goal(target)), maxulp=1)
    assert np.count_nonzero(packed != pack_b(points, Goal(target))) < packed.size // 1000
    assert packed.ctypes.data % 64 == 0


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_a_blas_has_too_little_to_do_for_threads(scheme: Scheme) -> None:
    products = scheme.points * scheme.taps[0] * scheme.taps[1] * at_once(scheme)
    assert 1 << 17 < products <= 1 << 18, "nor are there more calls than there must be"


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("scheme", WHOLE, ids=lambda s: s.name)
def test_integers_are_exact(target: isa.Target, scheme: Scheme) -> None:
    rng = np.random.default_rng(7)
    dtype = np.int8 if scheme.samples is dt.U8 else np.int16
    w = rng.integers(-128, 128, (33, 5, *scheme.taps)).astype(dtype)
    down, across = (np.array(t.weights, np.int64) for t in (scheme.down, scheme.across))
    exact = np.einsum("ir,js,ocrs->ijco", down, across, w.astype(np.int64)).reshape(scheme.points, 5, 33)
    padded = np.pad(exact, [(0, 0), (0, 0), (0, 15)]).astype(np.int16)
    packed = pack_winograd_weights(w, scheme, Goal(target))
    assert packed.dtype == np.int16
    assert np.array_equal(packed, pack_b(padded, Goal(target)))
    assert packed.ctypes.data % 64 == 0


@pytest.mark.parametrize("scheme", on_registers(TILE), ids=lambda s: s.name)
def test_points_on_matrix_registers_are_digits(scheme: Scheme) -> None:
    rng = np.random.default_rng(7)
    w = rng.standard_normal((33, 70, *scheme.taps)).astype(np.float32)
    down, across = (np.array(t.weights, np.float64) for t in (scheme.down, scheme.across))
    points = np.einsum("ir,js,ocrs->ijco", down, across, w).reshape(scheme.points, 70, 33)
    padded = np.pad(points.astype(np.float32), [(0, 0), (0, 128 - 70), (0, 48 - 33)])
    packed, expected = pack_winograd_weights(w, scheme, Goal(isa.V4)), pack_digits(padded, TILE)
    assert packed.shape == expected.shape == winograd_shape(w.shape, scheme, Goal(isa.V4))
    assert np.count_nonzero(packed.view(np.int32) != expected.view(np.int32)) < packed.size // 1000
