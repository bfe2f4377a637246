"""Determinants, inverses and Fourier transforms against their definitions in exact or plain arithmetic."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

from sardonyx.ir.algorithms.linalg import det, fft, inverse


def test_determinants_and_inverses() -> None:
    x = np.float32([[[2, 1], [7, 4]], [[1, 2], [2, 4]], [[0, 1], [1, 0]]])
    assert det(x).tolist() == pytest.approx([1, 0, -1])
    got = inverse(x)
    assert got[0].tolist() == [pytest.approx([4, -1]), pytest.approx([-7, 2])]
    assert np.isnan(got[1]).all(), "one that is singular does not spoil the others"
    assert got[2].tolist() == [[0, 1], [1, 0]]
    assert got.dtype == np.float32


@pytest.mark.parametrize("length", [3, 5, 8])
@pytest.mark.parametrize("backward", [False, True])
def test_transforms_are_their_sums(length: int, backward: bool) -> None:
    x = np.random.default_rng(1).standard_normal((2, 5, 2))
    got = fft(x, length=length, bins=length, inverse=backward, real=False)
    for row, result in zip(x, got, strict=True):
        signal = [complex(*v) for v in row[:length]]
        for k, (re, im) in enumerate(result):
            turn = (2j if backward else -2j) * cmath.pi * k / length
            exact = sum(v * cmath.exp(turn * n) for n, v in enumerate(signal)) / (length if backward else 1)
            assert complex(re, im) == pytest.approx(exact, abs=1e-12)


def test_half_a_spectrum_gives_the_signal_back() -> None:
    x = np.random.default_rng(2).standard_normal((1, 7, 1))
    half = fft(x, length=7, bins=4, inverse=False, real=False)
    assert half.shape == (1, 4, 2)
    np.testing.assert_allclose(fft(half, length=7, bins=7, inverse=True, real=True), x, atol=1e-14)
