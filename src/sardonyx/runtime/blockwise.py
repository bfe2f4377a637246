"""Block-wise quantisation of matrices: the native functions that onnxruntime's quantisation tools call.

Decides rounding and packing, which are those of onnxruntime. Must not know sessions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def quantize_matmul_2bits(*args: Any) -> None:
    """See `quantize_matmul_4bits`; four numbers a byte."""
    _quantise_columns(2, *args)


def quantize_matmul_4bits(*args: Any) -> None:
    """Quantise a matrix in blocks along its rows, for MatMulNBits.

    Args:
        args: packed uint8 [cols, blocks, block_size / 2], weight float [rows, cols], scales [cols, blocks],
            zero_points uint8 [cols, (blocks + 1) / 2], block_size, cols, rows, symmetric. The first, third
            and fourth are written; zero points only if they are not symmetric.
    """
    _quantise_columns(4, *args)


def quantize_matmul_8bits(*args: Any) -> None:
    """See `quantize_matmul_4bits`; one number a byte."""
    _quantise_columns(8, *args)


def quantize_qdq_matmul_2bits(*args: Any) -> bool:
    """See `quantize_qdq_matmul_4bits`; four numbers a byte."""
    return _quantise_rows(2, *args)


def quantize_qdq_matmul_4bits(*args: Any) -> bool:
    """Quantise a matrix in blocks along its rows, for DequantizeLinear.

    Args:
        args: packed uint8 [rows * cols / 2], weight float [rows, cols], scales [blocks, cols],
            zero_points uint8 [blocks * cols / 2], block_size, cols, rows, symmetric.

    Returns:
        Whether the numbers are signed.
    """
    return _quantise_rows(4, *args)


def _quantise_columns(
    bits: int,
    packed: Array,
    weight: Array,
    scales: Array,
    zero_points: Array,
    block: int,
    cols: int,
    rows: int,
    symmetric: bool,
) -> None:
    levels, scale, zeros = _quantised(bits, weight, block, symmetric)
    scales[...] = scale.T.reshape(scales.shape)
    whole = levels.transpose(2, 0, 1).copy()
    if rows % block:
        whole[:, -1, rows % block :] = 0
    packed[...] = _packed(whole, bits).reshape(packed.shape)
    if not symmetric:
        zero_points[...] = _packed(zeros.T, bits, 1 << bits - 1).reshape(zero_points.shape)


def _quantise_rows(
    bits: int,
    packed: Array,
    weight: Array,
    scales: Array,
    zero_points: Array,
    block: int,
    cols: int,
    rows: int,
    symmetric: bool,
) -> bool:
    levels, scale, zeros = _quantised(bits, weight, block, symmetric)
    scales[...] = scale.reshape(scales.shape)
    flat = levels.reshape(-1, cols)[:rows].reshape(1, -1)
    if symmetric:
        flat = (flat.astype(np.int16) - (1 << bits - 1)).astype(np.uint8) & ((1 << bits) - 1)
    else:
        zero_points[...] = _packed(zeros.reshape(1, -1), bits, 1 << bits - 1).reshape(zero_points.shape)
    packed[...] = _packed(flat, bits).reshape(packed.shape)
    return bool(symmetric)


def _quantised(bits: int, weight: Array, block: int, symmetric: bool) -> tuple[Array, Array, Array]:
    """Levels [blocks, block, cols], scales and zero points [blocks, cols]."""
    rows, cols = weight.shape
    blocks = -(-rows // block)
    values = np.zeros((blocks * block, cols), np.float32)
    values[:rows] = weight
    values = values.reshape(blocks, block, cols)
    low, high = np.minimum(values.min(1), 0), np.maximum(values.max(1), 0)
    top, half = np.float32((1 << bits) - 1), np.float32(1 << bits - 1)
    if symmetric:
        scale = np.where(np.abs(high) > np.abs(low), high, low) / -half
        zeros = np.full(scale.shape, half)
    else:
        scale = (high - low) / top
        safe = np.where(scale == 0, np.float32(1), scale)
        zeros = np.clip(_rounded(np.where(scale == 0, low, -low / safe)), 0, top)
    inverse = np.where(scale == 0, np.float32(0), np.float32(1) / np.where(scale == 0, np.float32(1), scale))
    levels = np.clip(_rounded(values * inverse[:, None] + zeros[:, None]), 0, top)
    return levels.astype(np.uint8), scale, zeros.astype(np.uint8)


def _rounded(values: Array) -> Array:
    """The nearest integers, halves away from zero."""
    rounded: Array = np.trunc(values + np.copysign(np.float32(0.5), values))
    return rounded


def _packed(levels: Array, bits: int, rest: int = 0) -> Array:
    """Numbers of `bits` bits along the last axis as bytes, lowest bits first, then `rest`."""
    each = 8 // bits
    missing = -levels.shape[-1] % each
    padded = np.pad(levels, [(0, 0)] * (levels.ndim - 1) + [(0, missing)], constant_values=rest)
    parts = padded.reshape(*levels.shape[:-1], -1, each).astype(np.uint16)
    shifts = np.arange(each, dtype=np.uint16) * np.uint16(bits)
    bytes_: Array = np.bitwise_or.reduce(parts << shifts, axis=-1).astype(np.uint8)
    return bytes_
