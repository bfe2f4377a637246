"""Floats as whole numbers with a scale, of three signed digits of base 256; constant B laid out so.

A float is scale * (digit[0] * 256^2 + digit[1] * 256 + digit[2]), where the scale is that of all its row of A
or column of B. Must not know graphs or how kernels are written.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.digits import are_whole
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.product.pack import aligned_empty
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.panels import Panels

LARGEST = 0x7F7F00
"""The largest whole number that is aimed at: what is rounded up from it has three digits too."""

ZEROS = 0x808080
"""What is added so that digits are not negative, and taken from each: 128."""

SCALE_BYTES = 4
"""Those that a column of B begins with."""

_OUTER = np.uint32(0x00FF00FF)
"""The first and the third byte of a word."""

_PART_NUMBERS = 1 << 16
"""So many stay in a cache of the CPU while they are laid out."""

_LEAST_SCALED, _MOST_SCALED = 2.0**-80, 2.0**80
_MOST_TERMS = ((1 << 31) - 1) // (3 << 14)


def have_digits(w: np.ndarray) -> bool:
    """Whether w[..., K, N] serves as B: finite, no sum overflows, nor do scales of columns, in any order.

    Not whole numbers, whose sums stay exact.
    """
    if w.shape[-2] > _MOST_TERMS or are_whole(w):
        return False
    largest = _largest(w)
    serves = (largest == 0) | ((largest >= _LEAST_SCALED) & (largest <= _MOST_SCALED))
    return bool(serves.all())


def filters_have_digits(w: np.ndarray) -> bool:
    """The same of weights w[OC, ...] of a convolution, each output of which is a column."""
    return have_digits(w.reshape(len(w), -1).T)


def _largest(w: np.ndarray) -> np.ndarray:
    """The largest magnitude of each column of w[..., K, N], or NaN."""
    largest: np.ndarray = np.maximum(w.max(axis=-2, initial=0), -w.min(axis=-2, initial=0))
    return largest


def pack_digits(w: np.ndarray, tile: MatrixTile, *, turned: bool = True) -> np.ndarray:
    """Lay out floats w[..., K, N] that `have_digits`, K whole steps and N whole registers.

    `Panels` of depth bytes a word, with the scales of columns in their heads. Returns words of 4 bytes,
    [..., count], 64-byte aligned: `column_bytes` a column. The k of the vectors of a step are in turn if A's
    are `turned`, else in order.
    """
    shape = MatrixShape(tile)
    k, n = w.shape[-2:]
    packed = aligned_empty(digits_shape(w.shape, tile), np.dtype(np.float32))
    rows = max(1, _PART_NUMBERS // (n * shape.k_step)) * shape.k_step
    for to, matrix in zip(packed.reshape(-1, packed.shape[-1]), w.reshape(-1, k, n), strict=True):
        largest = _largest(matrix)
        scales = np.where(largest > 0, largest / np.float32(LARGEST), np.float32(1))
        panels = Panels(to.view(np.uint32), n, shape, SCALE_BYTES // 4)
        panels.write_heads(scales.view(np.uint32))
        for at in range(0, k, rows):
            for digit, words in enumerate(_words(matrix[at : at + rows], scales, shape, turned=turned)):
                panels.write(digit, at // shape.k_step, words)
    return packed


def _words(
    rows: np.ndarray, scales: np.ndarray, shape: MatrixShape, *, turned: bool
) -> tuple[np.ndarray, ...]:
    """The digits of whole steps of rows, the most significant first, four of a column in a word."""
    signed = _whole_numbers(rows, scales) + ZEROS ^ ZEROS
    vectors = (shape.depth, shape.tile.rows) if turned else (shape.tile.rows, shape.depth)
    steps = signed.view(np.uint32).reshape(-1, *vectors, rows.shape[1])
    quads = [steps[:, n] if turned else steps[:, :, n] for n in range(shape.depth)]
    outer = [a & _OUTER | (b & _OUTER) << 8 for a, b in (quads[:2], quads[2:])]
    inner = [a >> 8 & 0xFF | b & 0xFF00 for a, b in (quads[:2], quads[2:])]
    return (
        outer[0] >> 16 | outer[1] & 0xFFFF0000,
        inner[0] | inner[1] << 16,
        outer[0] & 0xFFFF | outer[1] << 16,
    )


def _whole_numbers(w: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """w[K, N] as whole numbers of each column's scale; what is not 0 keeps its sign."""
    wide = w / scales.astype(np.float64)
    whole: np.ndarray = np.rint(wide, out=wide).astype(np.int32)
    zeros = whole == 0
    if zeros.any():
        whole[zeros] = np.sign(w[zeros]).astype(np.int32)
    return whole


def digits_shape(dims: tuple[int, ...], tile: MatrixTile) -> tuple[int, ...]:
    """The shape of what `pack_digits` makes of an array."""
    shape = MatrixShape(tile)
    *batch, k, n = dims
    return (*batch, n * column_bytes(shape, k // shape.k_step) // 4)


def column_bytes(shape: MatrixShape, steps: int) -> int:
    """Bytes that a column of B takes in so many steps."""
    return SCALE_BYTES + steps * shape.k_step * shape.planes
