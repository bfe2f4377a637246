"""Pixels of a few channels of some lines are cut into digits by one scale, all of a pixel side by side."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.numbers import LARGEST
from sardonyx.kernels.digits.pixels import PIXELS, PixelWords, define_cut_pixels, define_largest
from sardonyx.kernels.digits.special import Code
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled

SHAPE = MatrixShape(next(tile for tile in isa.V4.matrices if tile.operand == "fixed24"))


def words_of(x: Array, plane: int = 0, factor: float = 0) -> Array:
    """Those of x[channels, lines, pixels]."""
    words = np.zeros(len(PixelWords), np.int64)
    words[: PixelWords.PLANE] = x.strides[1], x.shape[1], x.strides[0], x.shape[0]
    words[PixelWords.PLANE] = plane
    words.view(np.float32)[2 * PixelWords.FACTOR] = factor
    return words


def cut(x: Array, size: int, factor: float, *, careful: bool) -> Array:
    """Digits of x[channels, lines, pixels] as [plane, pixels, size]."""
    pixels = x.shape[2]
    whole = -(-pixels // PIXELS) * PIXELS
    planes = guarded(np.full((3 + careful, whole, size), 99, np.int8), align=64)
    made = Modelled(lambda module: define_cut_pixels(module, SHAPE, size, careful=careful))
    made.call(made.names, planes, x, pixels, words_of(x, planes.strides[0], factor))
    assert not planes[:, pixels:].any()
    return planes[:, :pixels]


@pytest.mark.parametrize(
    ("channels", "lines", "pixels", "size"), [(3, 2, 37, 8), (1, 3, 16, 4), (3, 5, 5, 16), (12, 1, 70, 16)]
)
def test_digits(channels: int, lines: int, pixels: int, size: int, rng: np.random.Generator) -> None:
    x = guarded(rng.uniform(-1, 1, (channels, lines, pixels)).astype(np.float32))
    planes = cut(x, size, LARGEST, careful=False).astype(np.int64)
    whole = (planes[0] << 16) + (planes[1] << 8) + planes[2]
    expected = x.transpose(2, 1, 0).reshape(pixels, -1)
    assert np.abs(whole[:, : lines * channels] / LARGEST - expected).max() < 1.1 / LARGEST
    assert not whole[:, lines * channels :].any()


@pytest.mark.parametrize("pixels", [1, 16, 37])
def test_the_largest_and_codes_of_what_is_infinite_or_nan(pixels: int, rng: np.random.Generator) -> None:
    x = guarded(rng.uniform(-1, 1, (3, 2, pixels)).astype(np.float32))
    x[1, 1, pixels - 1] = -7
    made = [Modelled(lambda module, c=c: define_largest(module, careful=c)) for c in (False, True)]
    usual, careful = (
        np.int32(m.call(m.names, x, pixels, words_of(x), result=True) & 0x7FFFFFFF).view(np.float32)
        for m in made
    )
    assert usual == careful == 7
    x[0, 0, 0], x[2, 0, pixels // 2], x[2, 1, 0] = np.inf, np.nan, -np.inf
    usual, careful = (
        np.int32(m.call(m.names, x, pixels, words_of(x), result=True) & 0x7FFFFFFF).view(np.float32)
        for m in made
    )
    assert not np.isfinite(usual)
    assert careful == 7
    planes = cut(x, 8, 1000.0, careful=True)
    assert (planes[3, 0, 0], planes[3, pixels // 2, 2], planes[3, 0, 5]) == (
        Code.INFINITE,
        Code.NAN,
        Code.NEGATIVE,
    )
    assert np.count_nonzero(planes[3]) == 3
    assert not planes[:3][:, planes[3] != 0].any()
