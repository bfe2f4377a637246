"""Left operands of 49 products and what joins seven of them, in numpy, on guarded memory."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.strassen.blocking import product_row_bytes
from sardonyx.kernels.strassen.fours import define_join, define_lefts_of
from sardonyx.kernels.strassen.scheme import PRODUCTS, lefts, results
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made, shape_of


def quarters(x: np.ndarray) -> list[np.ndarray]:
    """Of pairs of neighbouring rows and halves of columns."""
    half = x.shape[1] // 2
    return [x[0::2, :half], x[0::2, half:], x[1::2, :half], x[1::2, half:]]


@pytest.mark.parametrize("product", range(PRODUCTS))
def test_left_operands_of_one_product(product: int) -> None:
    shape = shape_of("f32")
    made = Made(lambda module: define_lefts_of(module, shape))
    rows, k = 7, 8 * shape.lanes
    rng = np.random.default_rng(product)
    a = guarded(rng.integers(-9, 10, (rows, k)).astype(np.float32))
    scales = 2.0 ** rng.integers(-3, 4, rows).astype(np.float32)
    row, steps, fours = 4 * (2 * shape.lanes + 16), 2 * shape.lanes, 2
    to = guarded(np.full((PRODUCTS, fours, row // 4), np.nan, np.float32))
    args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    for word, value in {Gemm.A: a.ctypes.data, Gemm.M: rows, Gemm.K: k, Gemm.A_M: k}.items():
        args[word] = value
    made.call(made.names, args, to, guarded(scales), row, fours * row, 0, fours, product, 0, steps)
    scaled = (a * scales[:, None])[[0, 1, 2, 3, 4, 5, 6, 6]]
    for ours, theirs in zip(to, lefts(quarters(lefts(quarters(scaled))[product])), strict=True):
        assert np.array_equal(ours[:, :steps], theirs)
        assert np.isnan(ours[:, steps:]).all()


@pytest.mark.parametrize("adds", [0, 1])
def test_seven_products_are_joined(adds: int) -> None:
    shape = shape_of("f32")
    made = Made(lambda module: define_join(module, shape))
    pitch, fours, columns = product_row_bytes(shape) // 4, 3, shape.columns
    rng = np.random.default_rng(adds)
    source = guarded(rng.integers(-9, 10, (fours, pitch)).astype(np.float32))
    to = guarded(rng.integers(-9, 10, (2, 2 * fours, pitch)).astype(np.float32))
    before = to.copy()
    made.call(made.names, source, to, 2 * fours * pitch * 4, adds, fours)
    products = [source[:, n * columns :][:, :columns] for n in range(PRODUCTS)]
    for n, quarter in enumerate(results(products)):
        at = (n % 2, slice(n // 2, None, 2), slice(0, columns))
        assert np.array_equal(to[at], quarter + adds * before[at])
    assert np.array_equal(to[:, :, columns:], before[:, :, columns:])
