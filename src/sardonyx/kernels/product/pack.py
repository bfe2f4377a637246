"""The layout of a constant B of matrix products. Must not know graphs or how kernels are written."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape


def pack_b(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out w[..., K, N] as panels [..., N / columns][K / depth][columns][depth], zero padded.

    Steps of k are padded to whole ones, a last panel of at most half the columns is one vector wide. The
    result is 64-byte aligned and of shape [..., padded K * padded N].
    """
    shape = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)])
    *batch, k, n = w.shape
    steps, padded = -(-k // shape.depth), -(-n // shape.lanes) * shape.lanes
    size = steps * shape.depth
    packed = aligned_zeros(packed_shape(w.shape, w.dtype, goal), w.dtype)
    whole = w if k == size else np.pad(w, [*[(0, 0)] * len(batch), (0, size - k), (0, 0)])
    whole = whole.reshape(*batch, steps, shape.depth, n).swapaxes(-1, -2)
    for at in range(0, n, shape.columns):
        width = min(shape.columns, padded - at)
        panel = packed[..., at * size : (at + width) * size].reshape(*batch, steps, width, shape.depth)
        panel[..., : min(width, n - at), :] = whole[..., at : at + width, :]
    return packed


def parts_b(w: np.ndarray, goal: Goal) -> Iterator[np.ndarray]:
    """Parts of w[..., K, N] whose layouts, one after the other, are that of the whole."""
    columns = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)]).columns
    for matrix in w.reshape(-1, *w.shape[-2:]):
        for at in range(0, w.shape[-1], columns):
            yield matrix[:, at : at + columns]


def packed_shape(dims: tuple[int, ...], dtype: np.dtype, goal: Goal) -> tuple[int, ...]:
    """The shape of what `pack_b` makes of an array."""
    shape = TileShape.of(goal, BY_RIGHT[dt.by_numpy(dtype)])
    *batch, k, n = dims
    return (*batch, -(-k // shape.depth) * shape.depth * -(-n // shape.lanes) * shape.lanes)


def aligned_zeros(dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A zeroed array whose data begin at a multiple of 64 bytes."""
    size = prod(dims) * dtype.itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.__array_interface__["data"][0] % 64
    return raw[start : start + size].view(dtype).reshape(dims)
