"""Pixels are cut into the digits that numpy finds, each by its own largest channel."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.blocks import define_cut_blocks
from sardonyx.kernels.digits.numbers import LARGEST
from sardonyx.kernels.digits.special import Code
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled

(TILE,) = (tile for tile in isa.V4.matrices if tile.operand == "fixed24")
SHAPE = MatrixShape(TILE)
GAP = 64


def cut(
    x: Array, apart: int = 1, *, careful: bool = False, norm: Array | None = None
) -> tuple[Array, Array, bool]:
    """Digits [plane, pixels, channels] of x[pixels, channels], their scales, and whether some have none.

    They are those of max(x * norm[0] + norm[1], 0) if there is a norm[2, channels].
    """
    pixels, channels = x.shape
    blocks, steps = -(-channels // 16), -(-channels // 64)
    blocked = np.full((blocks, pixels * apart, 16), np.nan, np.float32)
    for n in range(channels):
        blocked[n // 16, ::apart, n % 16] = x[:, n]
    source = guarded(blocked[:, : (pixels - 1) * apart + 1])
    step = pixels * 64 + GAP
    planes = guarded(np.zeros((3 + careful, steps, step), np.int8), align=64)
    scales = guarded(np.zeros(pixels, np.float32))
    words = np.array([step, step * steps, 64 * apart, source.strides[0], channels, blocks], np.int64)
    words = np.append(words, (scales.ctypes.data, planes.ctypes.data))
    table = np.zeros((2, blocks * 16), np.float32)
    if norm is not None:
        table[:, :channels] = norm
    table = guarded(table.reshape(2, blocks, 16).swapaxes(0, 1))
    words = np.append(words, (0, 0, table.ctypes.data, 0))
    how = {"careful": careful, "normed": norm is not None}
    made = Modelled(lambda module: define_cut_blocks(module, SHAPE, 16, **how))
    found = made.call(made.names, planes, source, pixels, words, result=True)
    assert (planes[..., step - GAP :] == 0).all()
    by_step = planes[..., : step - GAP].reshape(3 + careful, steps, pixels, 16, 4)
    return by_step.transpose(0, 2, 1, 4, 3).reshape(3 + careful, pixels, -1), scales, bool(found)


def values(planes: Array, scales: Array) -> Array:
    whole = sum(planes[n].astype(np.int64) << 16 - 8 * n for n in range(3))
    return whole * (scales[:, None].astype(np.float64) / 65536)


@pytest.mark.parametrize(("pixels", "channels", "apart"), [(1, 16, 1), (37, 70, 1), (16, 128, 2), (5, 49, 3)])
@pytest.mark.parametrize("size", [1.0, 1.5e-31, 3.4e38])
def test_pixels(pixels: int, channels: int, apart: int, size: float, rng: np.random.Generator) -> None:
    x = (rng.uniform(-1, 1, (pixels, channels)) * 0.9 ** rng.integers(0, 9, (pixels, 1)) * size).astype(
        np.float32
    )
    planes, scales, found = cut(x, apart)
    assert not found
    assert (planes[:, :, channels:] == 0).all()
    largest = np.abs(x).max(1, keepdims=True).astype(np.float64)
    assert (np.abs(values(planes, scales)[:, :channels] - x) <= largest * 1.1 / LARGEST).all()


@pytest.mark.parametrize("careful", [False, True])
def test_channels_are_scaled_shifted_and_limited_first(careful: bool, rng: np.random.Generator) -> None:
    x, norm = (rng.standard_normal(shape).astype(np.float32) for shape in ((37, 70), (2, 70)))
    made = np.maximum(x.astype(np.float64) * norm[0] + norm[1], 0).astype(np.float32)
    for own, exact in zip(cut(x, norm=norm, careful=careful), cut(made, careful=careful), strict=True):
        assert np.array_equal(own, exact)


def test_zeros_and_what_is_hardly_more_are_zero() -> None:
    x = np.zeros((3, 64), np.float32)
    x[1] = 1e-45
    planes, scales, found = cut(x)
    assert not planes.any()
    assert not found
    assert np.isfinite(scales).all()


def test_infinite_numbers_have_codes_and_no_part_in_scales(rng: np.random.Generator) -> None:
    x = rng.standard_normal((20, 80)).astype(np.float32)
    x[1, 3], x[1, 70], x[19, 40] = np.inf, np.nan, -np.inf
    assert cut(x)[2]
    planes, scales, _ = cut(x, careful=True)
    assert (planes[3, 1, 3], planes[3, 1, 70], planes[3, 19, 40]) == (Code.INFINITE, Code.NAN, Code.NEGATIVE)
    assert np.count_nonzero(planes[3]) == 3
    finite = np.where(np.isfinite(x), x, 0)
    assert np.abs(values(planes, scales)[:, :80] - finite).max() < 1e-6
