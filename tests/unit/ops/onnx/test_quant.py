"""Quantised numbers: exact integers, rounding to even, saturation, scales per axis and per block."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ops.onnx.quant import limits
from tests.unit.frontend.models import outputs, parsed

RNG = np.random.default_rng(0)


def test_products_of_integers_are_exact() -> None:
    a, b = (
        RNG.integers(0, 256, (3, 5000)).astype(np.uint8),
        RNG.integers(-128, 128, (5000, 2)).astype(np.int8),
    )
    text = """g (uint8[M,K] a, int8[K,N] b, uint8[M] p, int8[N] q) => (int32[?] y)
        { y = MatMulInteger(a, b, p, q) }"""
    p, q = np.array([0, 128, 255], np.uint8), np.array([-128, 127], np.int8)
    (y,) = outputs(parsed(text), a, b, p, q)
    wide = (a.astype(np.int64) - p[:, None]) @ (b.astype(np.int64) - q)
    np.testing.assert_array_equal(y, wide)


def test_halves_round_to_even_and_ends_saturate() -> None:
    x = np.array([0.5, 1.5, -0.5, 2.5, 300, -300, np.inf], np.float32)
    text = "g (float[7] x, float s, uint8 z) => (uint8[7] y) { y = QuantizeLinear(x, s, z) }"
    (y,) = outputs(parsed(text), x, np.float32(1), np.uint8(10))
    assert y.tolist() == [10, 12, 10, 12, 255, 0, 255]


@pytest.mark.parametrize("dtype", [dt.I4, dt.I8, dt.I16, dt.U8, dt.U16], ids=str)
def test_what_is_no_number_is_the_least_point(dtype: dt.DType) -> None:
    x = np.array([np.nan, -np.inf, 1, np.inf, -np.nan] * 5, np.float32)
    name = dtype.numpy.name
    text = f"g (float[N] x, float s, {name} z) => ({name}[N] y) {{ y = QuantizeLinear(x, s, z) }}"
    least, most = limits(dtype)
    (y,) = outputs(parsed(text), x, np.float32(1), np.array(3, dtype.numpy))
    assert y.astype(int).tolist() == [least, least, 4, most, least] * 5


@pytest.mark.parametrize(("rows", "block"), [(8, 4), (10, 4)])
def test_blocks_share_a_scale(rows: int, block: int) -> None:
    x = RNG.integers(-128, 128, (rows, 3)).astype(np.int8)
    scales = RNG.uniform(0.1, 1, (-(-rows // block), 3)).astype(np.float32)
    text = f"""g (int8[N,3] x, float[?,3] s) => (float[?] y)
        {{ y = DequantizeLinear<axis = 0, block_size = {block}>(x, s) }}"""
    text = text.replace("?,3", f"{len(scales)},3")
    (y,) = outputs(parsed(text), x, scales)
    np.testing.assert_array_equal(y, x * scales.repeat(block, 0)[:rows])


def test_a_range_of_nothing_quantises_to_zero() -> None:
    text = "g (float[N] x) => (uint8[?] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"
    y, step, zero = outputs(parsed(text), np.zeros(4, np.float32))
    assert (y.tolist(), float(step), int(zero)) == ([0] * 4, 1.0, 0)


def test_dynamic_points_cover_the_range_and_zero() -> None:
    text = "g (float[N] x) => (uint8[?] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"
    x = np.array([1, 2, 4, -1], np.float32)
    y, step, zero = outputs(parsed(text), x)
    assert (int(y[2]), int(y[3]), int(zero)) == (255, 0, 51)
    np.testing.assert_allclose((y.astype(np.float32) - zero) * step, x, atol=float(step) / 2)


def test_a_quantised_convolution_counts_bias_in_its_own_unit() -> None:
    inputs = "uint8[1,2,3,3] x, float a, uint8 p, int8[1,2,3,3] w, float[1] b, int8[1] q"
    scale = "float c, uint8 r, int32[1] o"
    text = f"g ({inputs}, {scale}) => (uint8[?] y) {{ y = QLinearConv(x, a, p, w, b, q, c, r, o) }}"
    x = RNG.integers(0, 256, (1, 2, 3, 3)).astype(np.uint8)
    w = RNG.integers(-128, 128, (1, 2, 3, 3)).astype(np.int8)
    real = ((x.astype(np.int64) - 7) * w).sum() + 1000
    feeds = (x, np.float32(0.1), np.uint8(7), w, np.full(1, 0.2, np.float32), np.zeros(1, np.int8))
    (y,) = outputs(parsed(text), *feeds, np.float32(10), np.uint8(100), np.full(1, 1000, np.int32))
    assert int(y.item()) == min(max(round(real * 0.002) + 100, 0), 255)
