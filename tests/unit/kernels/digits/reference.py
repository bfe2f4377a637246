"""Floats as whole numbers and these as digits, said as simply as can be, for tests."""

from __future__ import annotations

import numpy as np

from sardonyx.kernels.digits.numbers import LARGEST, ZEROS
from sardonyx.kernels.tiles.matrix import MatrixShape


def whole_numbers(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w[..., K, N] as whole numbers and a scale a column; what is not 0 keeps its sign."""
    largest = np.abs(w).max(axis=-2, keepdims=True, initial=0)
    scales = np.where(largest > 0, largest / np.float32(LARGEST), 1).astype(np.float32)
    wide = w / scales.astype(np.float64)
    whole = np.rint(wide).astype(np.int32)
    lost = (whole == 0) & (w != 0)
    whole[lost] = np.sign(w[lost]).astype(np.int32)
    return whole, scales[..., 0, :]


def digits(whole: np.ndarray) -> np.ndarray:
    """The digits [3, ...] of whole numbers, the most significant first, as signed bytes."""
    above = whole + ZEROS
    return np.stack([((above >> bits & 0xFF) - 128).astype(np.int8) for bits in (16, 8, 0)])


def in_turn(steps: np.ndarray, shape: MatrixShape) -> np.ndarray:
    """steps[..., K, N], whole steps, with the k of the vectors of each step in turn, as rows of A are."""
    *batch, count, n = steps.shape
    vectors = steps.reshape(*batch, -1, shape.abreast, shape.k_step // shape.abreast, n)
    return vectors.swapaxes(-2, -3).reshape(*batch, count, n)
