"""A tile of digits has the sums of its numbers, by however many registers, whose last rows may be idle."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.digits.tiled import TILE, End, tile_of


@pytest.mark.parametrize(
    ("registers", "columns", "steps"), [(1, 1, 1), (1, 2, 3), (2, 1, 2), (2, 2, 1), (2, 2, 16)]
)
@pytest.mark.parametrize("rows", [16, 9])
def test_sums(registers: int, columns: int, steps: int, rows: int, rng: np.random.Generator) -> None:
    a = rng.standard_normal((registers * rows, 64 * steps)).astype(np.float32)
    b = rng.standard_normal((64 * steps, 16 * columns)).astype(np.float32)
    exact = a.astype(np.float64) @ b
    error = np.sqrt(np.mean((tile_of(a, b, rows) - exact) ** 2) / np.mean(exact**2))
    assert error < MATRIX_BOUNDS[TILE.name]


def test_sums_of_short_columns_are_those_of_others(rng: np.random.Generator) -> None:
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((32, 128), (128, 32)))
    np.testing.assert_array_equal(tile_of(a, b, 16, is_short=True), tile_of(a, b, 16))


@pytest.mark.parametrize("columns", [1, 2])
def test_sums_are_finished_where_they_are_joined(columns: int, rng: np.random.Generator) -> None:
    a = rng.standard_normal((18, 64)).astype(np.float32)
    b = rng.standard_normal((64, 16 * columns)).astype(np.float32)
    bias = rng.standard_normal(16 * columns).astype(np.float32)
    residual = rng.standard_normal((16, 16 * columns)).astype(np.float32)
    end = End(bias, residual, -4.0, 6.0)
    expected = np.clip(tile_of(a, b, 9)[:16] + bias + residual, end.low, end.high)
    np.testing.assert_array_equal(tile_of(a, b, 9, None, end, idle=2)[:16], expected)
