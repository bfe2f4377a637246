"""The layout of a constant B of matrix products. Must not know graphs or how kernels are written."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.panels import Panels
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape

_ALIGN = 64

PART_BYTES = 1 << 20
"""About as much is laid out at a time as stays in a cache of the CPU."""

_PART_NUMBERS = 1 << 16
"""So many are split at a time."""

_HALF, _UPPER = np.uint32(16), np.uint32(0xFFFF0000)
_ROUNDED_UP = np.array(0x7F7F8000, np.uint32).view(np.float32)
"""The least number that bf16 rounds to infinity."""


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
    whole = whole.reshape(*batch, steps, shape.depth, n)
    count, columns = n // shape.columns, shape.columns
    full = count * columns
    panels = packed[..., : full * size].reshape(*batch, count, steps, columns, shape.depth)
    last = packed[..., full * size :].reshape(*batch, steps, padded - full, shape.depth)
    # A copy whose inner loop is one step of k would take four times as long.
    for at in range(shape.depth):
        rows = whole[..., at, :]
        panels[..., at] = rows[..., :full].reshape(*batch, steps, count, columns).swapaxes(-2, -3)
        last[..., : n - full, at] = rows[..., full:]
    return packed


def parts_b(w: np.ndarray, goal: Goal) -> Iterator[np.ndarray]:
    """Parts of w[..., K, N] whose layouts, one after the other, are that of the whole."""
    panel = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)]).columns
    columns = panel * max(1, PART_BYTES // max(1, panel * w.shape[-2] * w.itemsize))
    for matrix in w.reshape(-1, *w.shape[-2:]):
        for at in range(0, w.shape[-1], columns):
            yield matrix[:, at : at + columns]


def packed_shape(dims: tuple[int, ...], dtype: np.dtype, goal: Goal) -> tuple[int, ...]:
    """The shape of what `pack_b` makes of an array."""
    shape = TileShape.of(goal, BY_RIGHT[dt.by_numpy(dtype)])
    *batch, k, n = dims
    return (*batch, -(-k // shape.depth) * shape.depth * -(-n // shape.lanes) * shape.lanes)


def pack_matrix(w: np.ndarray, tile: MatrixTile) -> np.ndarray:
    """Lay out finite floats w[..., K, N] as micro-kernels on matrix registers read them.

    `Panels`, zero padded in steps of k, with pairs of k in a word. Returns words of 4 bytes, [..., count],
    64-byte aligned.
    """
    shape = MatrixShape(tile)
    *batch, k, n = w.shape
    steps, columns = -(-k // shape.k_step), -(-n // tile.rows) * tile.rows
    packed = aligned_empty(matrix_shape(w.shape, tile), np.dtype(np.float32))
    if not packed.size:
        return packed
    if (k, n) != (steps * shape.k_step, columns):
        whole = np.zeros((*batch, steps * shape.k_step, columns), np.float32)
        whole[..., :k, :n] = w
        w = whole
    together = max(1, _PART_NUMBERS // (columns * shape.k_step))
    words = packed.view(np.uint32).reshape(-1, packed.shape[-1])
    for to, matrix in zip(words, w.reshape(-1, *w.shape[-2:]), strict=True):
        panels = Panels(to, columns, shape)
        for at in range(0, steps, together):
            rows = matrix[at * shape.k_step : (at + together) * shape.k_step]
            for plane, pairs in enumerate(_pairs(np.ascontiguousarray(rows, np.float32), shape)):
                panels.write(plane, at, pairs)
    return packed


def _pairs(rows: np.ndarray, shape: MatrixShape) -> Iterator[np.ndarray]:
    """The words[step, row, N] of each plane of whole steps of rows; each is overwritten by the next."""
    pairs = np.empty((len(rows) // shape.depth, rows.shape[1]), np.uint32)
    for part in split(rows, shape.planes):
        bits = part.view(np.uint32).reshape(-1, shape.depth, rows.shape[1])
        np.right_shift(bits[:, 0], _HALF, out=pairs)
        pairs |= bits[:, 1]
        yield pairs.reshape(-1, shape.tile.rows, rows.shape[1])


def split(x: np.ndarray, parts: int = 2) -> Iterator[np.ndarray]:
    """The parts of contiguous finite floats: what fits into bf16, what of the rest does, and so on.

    The largest are cut where they would be rounded up to infinity. Each part is overwritten by the next.
    """
    left, high = x, np.empty_like(x)
    for part in range(parts):
        if part:
            left = np.subtract(left, high, out=None if left is x else left)
        _round(left, high)
        if not part and max(x.max(initial=0), -x.min(initial=0)) >= _ROUNDED_UP:
            np.copyto(high, (x.view(np.uint32) & _UPPER).view(np.float32), where=np.isinf(high))
        yield high


def _round(x: np.ndarray, to: np.ndarray) -> None:
    bits, rounded = x.view(np.uint32), to.view(np.uint32)
    np.right_shift(bits, _HALF, out=rounded)
    rounded &= np.uint32(1)
    rounded += np.uint32(0x7FFF)
    rounded += bits
    rounded &= _UPPER


def matrix_shape(dims: tuple[int, ...], tile: MatrixTile) -> tuple[int, ...]:
    """The shape of what `pack_matrix` makes of an array."""
    shape = MatrixShape(tile)
    *batch, k, n = dims
    count = -(-k // shape.k_step) * shape.k_step * -(-n // tile.rows) * tile.rows
    return (*batch, count * shape.planes * shape.number_bytes // 4)


def aligned_zeros(dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A zeroed array whose data begin at a multiple of 64 bytes."""
    return _aligned(np.zeros(prod(dims) * dtype.itemsize + _ALIGN, np.uint8), dims, dtype)


def aligned_empty(dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of any content whose data begin at a multiple of 64 bytes."""
    return _aligned(np.empty(prod(dims) * dtype.itemsize + _ALIGN, np.uint8), dims, dtype)


def _aligned(raw: np.ndarray, dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    start = -raw.__array_interface__["data"][0] % _ALIGN
    return raw[start : start + prod(dims) * dtype.itemsize].view(dtype).reshape(dims)
