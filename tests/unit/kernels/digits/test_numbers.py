"""Floats as whole numbers with scales: how far sums of their digits are off, and which weights serve."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.numbers import (
    LARGEST,
    column_bytes,
    have_digits,
    pack_digits,
)
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.targets.x86_64 import isa
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.digits.reference import digits, in_turn, whole_numbers
from tests.unit.kernels.native import Array

(TILE,) = (tile for tile in isa.V4.matrices if tile.operand == "fixed24")
SHAPE = MatrixShape(TILE)


def product(a: Array, b: Array) -> Array:
    """a @ b as six terms of digits have it."""
    (left, rows), (right, columns) = whole_numbers(a.T), whole_numbers(b)
    x, y = (digits(whole).astype(np.float64) for whole in (left.T, right))
    levels = [sum(x[n] @ y[level - n] for n in range(level + 1)) for level in range(3)]
    assert np.abs(levels).max() < 1 << 31
    return (levels[0] * 65536 + levels[1] * 256 + levels[2]) * 65536.0 * rows[:, None] * columns


@pytest.mark.parametrize("k", [16, 256, 4096])
@pytest.mark.parametrize("kind", ["normal", "positive", "outliers", "sizes"])
def test_six_terms_are_as_exact_as_sums_of_floats(k: int, kind: str, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((40, k)), rng.standard_normal((k, 24))
    if kind == "positive":
        a = np.maximum(rng.standard_t(4, a.shape), 0)
    if kind == "outliers":
        a[:, 3], b[5] = a[:, 3] * 20, b[5] * 10
    if kind == "sizes":
        a, b = a * 10.0 ** rng.integers(-30, 20, (40, 1)), b * 10.0 ** rng.integers(-20, 18, 24)
    a, b = a.astype(np.float32), b.astype(np.float32)
    exact = a.astype(np.float64) @ b
    own = (
        np.sqrt(np.mean(exact**2, 1, keepdims=True))
        if kind != "sizes"
        else np.abs(a.astype(np.float64)) @ np.abs(b)
    )
    error = np.sqrt(np.mean(((product(a, b) - exact) / own) ** 2))
    assert error < (5 if kind == "outliers" else 2) * MATRIX_BOUNDS[TILE.name]


def test_whole_numbers_fit_three_digits_and_keep_signs(rng: np.random.Generator) -> None:
    w = rng.standard_normal((64, 16)).astype(np.float32)
    w[0], w[1, 0], w[2, 1], w[:, 2] = 1, 1e-30, -1e-30, 0
    whole, scales = whole_numbers(w)
    assert np.abs(whole).max() <= LARGEST + 1
    assert (whole[1, 0], whole[2, 1]) == (1, -1)
    assert (np.sign(whole) == np.sign(w)).all()
    assert np.isfinite(scales).all()
    joined = sum(
        plane.astype(np.int64) << bits for plane, bits in zip(digits(whole), (16, 8, 0), strict=True)
    )
    assert np.array_equal(joined, whole)


@pytest.mark.parametrize("turned", [True, False])
def test_panels_begin_with_scales_and_hold_digits(turned: bool, rng: np.random.Generator) -> None:
    w = rng.standard_normal((2, 128, 48)).astype(np.float32)
    w[1, 70, 33], w[1, 71, 34], w[1, :, 35], w[1, 5] = 1e-28, -1e-28, 0, -0.0
    packed = pack_digits(w, TILE, turned=turned)
    assert packed.ctypes.data % 64 == 0
    assert packed.shape == (2, 48 * column_bytes(SHAPE, 2) // 4)
    whole, scales = whole_numbers(w)
    planes = digits(in_turn(whole, SHAPE) if turned else whole)
    panel = packed[1, 32 * column_bytes(SHAPE, 2) // 4 :]
    assert np.array_equal(panel[:16], scales[1, 32:])
    second = panel[16:].view(np.int8).reshape(2, 3, 16, 16, 4)[1]
    assert np.array_equal(second.transpose(0, 1, 3, 2).reshape(3, 64, 16), planes[:, 1, 64:, 32:])
    assert in_turn(np.arange(64)[:, None], SHAPE)[:5, 0].tolist() == [0, 16, 32, 48, 1]


@pytest.mark.parametrize(
    ("change", "serves"), [(0.0, True), (np.inf, False), (np.nan, False), (1e25, False), (1e-25, True)]
)
def test_which_weights_serve(change: float, serves: bool, rng: np.random.Generator) -> None:
    w = rng.standard_normal((64, 16)).astype(np.float32)
    w[3, 4] = change
    assert have_digits(w) is serves
    assert not have_digits(w * np.float32(1e-26))
    assert not have_digits(np.broadcast_to(np.float32(0.3), (50000, 1)))
    assert not have_digits(np.ones((64, 16), np.float32)), "sums of whole numbers are exact"
