"""The layout of a constant B of matrix products. Must not know graphs or how kernels are written."""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.shape import TileShape

FLOAT_TYPES = {"float32": "float", "float64": "double"}
"""LLVM element type by numpy name."""


def pack_b(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out w[..., K, N] as panels [..., N / columns][K][columns], zero padded, 64-byte aligned.

    A last panel of at most half the columns is one vector wide. The result has shape [..., K * padded N].
    """
    shape = TileShape.of(goal, FLOAT_TYPES[w.dtype.name])
    *batch, k, n = w.shape
    padded = -(-n // shape.lanes) * shape.lanes
    packed = aligned_zeros((*batch, padded * k), w.dtype)
    for at in range(0, n, shape.columns):
        width = min(shape.columns, padded - at)
        panel = packed[..., at * k : (at + width) * k].reshape(*batch, k, width)
        panel[..., : min(width, n - at)] = w[..., at : at + width]
    return packed


def aligned_zeros(dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A zeroed array whose data begin at a multiple of 64 bytes."""
    size = int(np.prod(dims)) * dtype.itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(dims)
