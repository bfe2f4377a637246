"""Floats as whole numbers with a scale, of three signed digits of base 256; constant B laid out so.

A float is scale * (digit[0] * 256^2 + digit[1] * 256 + digit[2]), where the scale is that of all its row of A
or column of B. Must not know graphs or how kernels are written.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.digits import are_whole
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.tiles.matrix import MatrixShape

LARGEST = 0x7F7F00
"""The largest whole number that is aimed at: what is rounded up from it has three digits too."""

ZEROS = 0x808080
"""What is added so that digits are not negative, and taken from each: 128."""

SCALE_BYTES = 4
"""Those that a column of B begins with."""

_LEAST_SCALED, _MOST_SCALED = 2.0**-80, 2.0**80
_MOST_TERMS = ((1 << 31) - 1) // (3 << 14)


def have_digits(w: np.ndarray) -> bool:
    """Whether w[..., K, N] serves as B: finite, no sum overflows, nor do scales of columns, in any order.

    Not whole numbers, whose sums stay exact.
    """
    if w.shape[-2] > _MOST_TERMS or are_whole(w):
        return False
    largest = np.abs(w).max(axis=-2, initial=0)
    serves = (largest == 0) | ((largest >= _LEAST_SCALED) & (largest <= _MOST_SCALED))
    return bool(serves.all())


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


def pack_digits(w: np.ndarray, tile: MatrixTile, *, turned: bool = True) -> np.ndarray:
    """Lay out floats w[..., K, N] that `have_digits`, K whole steps and N whole registers.

    Panels [..., N / columns][scales of columns][steps][digit][register of columns][row][column][depth]; a
    last panel of at most half the columns is one register wide. Returns words of 4 bytes, [..., count],
    64-byte aligned: `column_bytes` a column. The k of a step are in turn if A's are `turned`, else in order.
    """
    shape = MatrixShape(tile)
    *batch, k, n = w.shape
    steps, narrow = k // shape.k_step, tile.rows
    whole, scales = whole_numbers(w)
    planes = digits(in_turn(whole, shape) if turned else whole)
    packed = aligned_zeros((*batch, n * column_bytes(shape, steps) // 4), np.dtype(np.float32))
    for at in range(0, n, shape.rows):
        part = planes[..., at : at + shape.rows]
        registers = part.shape[-1] // narrow
        part = part.reshape(shape.planes, *batch, steps, narrow, shape.depth, registers, narrow)
        order = [*range(1, len(batch) + 2), 0, *(len(batch) + i for i in (4, 2, 5, 3))]
        words = np.ascontiguousarray(part.transpose(order)).reshape(*batch, -1).view(np.float32)
        begin = at * column_bytes(shape, steps) // 4
        behind = begin + registers * narrow
        packed[..., begin:behind] = scales[..., at : at + shape.rows]
        packed[..., behind : behind + words.shape[-1]] = words
    return packed


def column_bytes(shape: MatrixShape, steps: int) -> int:
    """Bytes that a column of B takes in so many steps."""
    return SCALE_BYTES + steps * shape.k_step * shape.planes
