"""Numbers in 8 bits: scales and points of weights and of activations.

Formulas: ONNX's QuantizeLinear and DynamicQuantizeLinear.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sardonyx.compression.scope import Array

Floats = npt.NDArray[np.float32]


def signed(weight: Floats, axis: int | None, bits: int = 8) -> tuple[npt.NDArray[np.int8], Floats]:
    """Points of a weight with zero at 0, and its scale: one number, or one for each place of `axis`."""
    most = 2 ** (bits - 1) - 1
    others = None if axis is None else tuple(at for at in range(weight.ndim) if at != axis % weight.ndim)
    largest = np.abs(weight).max(axis=others, keepdims=True, initial=0)
    scale = np.where(largest > 0, largest / most, 1).astype(np.float32)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    points = np.clip(np.rint(weight / scale), -most, most).astype(np.int8)
    return points, scale.reshape(-1) if axis is not None else scale.reshape(())


def unsigned(low: float, high: float) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Scale and zero point that put [low, high], widened to hold 0, on 0 to 255."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255) if high > low else np.float32(1)
    scale = max(scale, np.finfo(np.float32).tiny)
    return np.array(scale, np.float32), np.array(np.clip(np.rint(-low / scale), 0, 255), np.uint8)


def blocks(
    weight: Floats, size: int, bits: int, symmetric: bool
) -> tuple[npt.NDArray[np.uint8], Floats, Array | None]:
    """Points of a weight [depth, columns] in blocks of `size` along its depth, packed for MatMulNBits.

    Returns points [columns, blocks, size * bits / 8], scales [columns, blocks] and, unless symmetric, zero
    points [columns, ceil(blocks * bits / 8)]; a symmetric one has its zero at the middle.
    """
    depth, columns = weight.shape
    count = -(-depth // size)
    padded = np.zeros((columns, count * size), np.float32)
    padded[:, :depth] = weight.T
    parts = padded.reshape(columns, count, size)
    most, middle = 2**bits - 1, 2 ** (bits - 1)
    if symmetric:
        largest = np.take_along_axis(parts, np.abs(parts).argmax(2)[..., None], 2)[..., 0]
        scale = largest / -middle
        zero = np.full(scale.shape, middle, np.float32)
    else:
        low, high = parts.min(2).clip(max=0), parts.max(2).clip(min=0)
        scale = (high - low) / most
        zero = np.rint(-low / np.where(scale == 0, 1, scale))
    scale = np.where(np.abs(scale) < np.finfo(np.float32).tiny, 1, scale).astype(np.float32)
    points = np.clip(np.rint(parts / scale[..., None]) + zero[..., None], 0, most).astype(np.uint8)
    packed = _packed(points, bits)
    return packed, scale, None if symmetric else _packed(zero.astype(np.uint8), bits)


def _packed(points: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    if bits == 8:
        return points
    if points.shape[-1] % 2:
        points = np.concatenate([points, np.zeros((*points.shape[:-1], 1), np.uint8)], -1)
    return np.asarray(points[..., ::2] | points[..., 1::2] << 4, np.uint8)
