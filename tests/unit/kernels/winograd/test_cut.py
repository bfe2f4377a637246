"""Points of a tile are cut into the digits that numpy finds, each by its own largest channel."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.numbers import LARGEST
from sardonyx.kernels.winograd.cut import CutWords, define_cut_points, scale_bytes
from sardonyx.kernels.winograd.scheme import Scheme, on_registers
from tests.unit.kernels.digits.tiled import SHAPE, TILE
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled

SCHEMES = {scheme.points: scheme for scheme in on_registers(TILE)}
ROW, GAP = 64, 64


def cut(x: Array, scheme: Scheme, powers: Array | None = None) -> tuple[Array, Array]:
    """The values [points, channels] of the digits of x, zeros behind the last channel, and the scales."""
    points, channels = x.shape
    steps, pitch = -(-channels // 64), -(-channels // 16) * 16 + 16
    floats = np.full((points, pitch), np.nan, np.float32)
    floats[:, :channels] = x
    source = guarded(floats.reshape(-1)[: (points - 1) * pitch + channels])
    to = guarded(np.zeros((points, steps, 3, 16, ROW), np.int8), align=64)
    scales = guarded(np.zeros(scale_bytes(points) // 4, np.float32), align=64)
    words = np.zeros(len(CutWords), np.int64)
    words[CutWords.FROM], words[CutWords.TO], words[CutWords.CHANNELS] = 4 * pitch, to.strides[0], channels
    own = None if powers is None else guarded(powers)
    words[CutWords.POWERS] = 0 if own is None else own.ctypes.data
    made = Modelled(lambda module: define_cut_points(module, SHAPE, scheme, by_powers=own is not None))
    made.call(made.names, to.ctypes.data + 5 * ROW, scales, source, words)
    assert not np.delete(to, 5, axis=3).any(), "a tile has one row of registers"
    planes = to[:, :, :, 5].reshape(points, steps, 3, 16, 4).transpose(2, 0, 1, 4, 3).reshape(3, points, -1)
    whole = sum(planes[n].astype(np.int64) << 16 - 8 * n for n in range(3))
    return whole * (scales[:points, None].astype(np.float64) / 65536), scales[:points]


@pytest.mark.parametrize(("points", "channels"), [(36, 64), (36, 150), (16, 7), (6, 80)])
@pytest.mark.parametrize("size", [1.0, 1e-28, 3.4e38])
def test_points(points: int, channels: int, size: float, rng: np.random.Generator) -> None:
    factors = 0.9 ** rng.integers(0, 20, (points, 1)) * size
    x = (rng.uniform(-1, 1, (points, channels)) * factors).astype(np.float32)
    values, _ = cut(x, SCHEMES[points])
    assert (values[:, channels:] == 0).all()
    largest = np.abs(x).max(1, keepdims=True).astype(np.float64)
    assert (np.abs(values[:, :channels] - x) <= largest * 1.1 / LARGEST).all()


@pytest.mark.parametrize("channels", [7, 64, 150])
def test_channels_are_multiplied_by_powers(channels: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((36, channels)).astype(np.float32)
    powers = np.exp2(rng.integers(-9, 1, channels)).astype(np.float32)
    of_powers, of_products = (cut(*args) for args in ((x, SCHEMES[36], powers), (x * powers, SCHEMES[36])))
    assert all(map(np.array_equal, of_powers, of_products))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_nan_in_its_point_alone(value: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal((36, 70)).astype(np.float32)
    clean, _ = cut(x, SCHEMES[36])
    x[17, 69] = value
    values, scales = cut(x, SCHEMES[36])
    assert list(np.flatnonzero(np.isnan(scales))) == [17]
    assert np.array_equal(np.delete(values, 17, 0), np.delete(clean, 17, 0))
