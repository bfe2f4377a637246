"""The layout of a constant B of matrix products. Must not know graphs or how kernels are written."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape

_PART_BYTES = 1 << 18
"""About as much is laid out at a time as stays in a cache of the CPU."""


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
    columns = panel * max(1, _PART_BYTES // max(1, panel * w.shape[-2] * w.itemsize))
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

    Panels [..., N / columns][K / k step][plane][register of columns][row][column][depth], zero padded in
    steps of k; a last panel of at most half the columns is one register wide. Returns words of 4 bytes,
    [..., count], 64-byte aligned.
    """
    shape = MatrixShape(tile)
    *batch, k, n = w.shape
    steps, wide, narrow = -(-k // shape.k_step), shape.rows, tile.rows
    packed = aligned_zeros(matrix_shape(w.shape, tile), np.dtype(np.float32))
    numbers = packed.view(np.uint16)
    padded = np.zeros((*batch, steps * shape.k_step, -(-n // narrow) * narrow), np.float32)
    padded[..., :k, :n] = w
    planes = np.stack(split(padded, shape.planes))
    for at in range(0, n, wide):
        part = planes[..., at : at + wide]
        registers = part.shape[-1] // narrow
        part = part.reshape(shape.planes, *batch, steps, narrow, shape.depth, registers, narrow)
        order = [*range(1, len(batch) + 2), 0, *(len(batch) + i for i in (4, 2, 5, 3))]
        panel = part.transpose(order).reshape(*batch, -1)
        begin = at * steps * shape.k_step * shape.planes
        numbers[..., begin : begin + panel.shape[-1]] = panel
    return packed


def split(x: np.ndarray, parts: int = 2) -> list[np.ndarray]:
    """The bits of the parts of finite floats: what fits into bf16, what of the rest does, and so on.

    The largest are cut where they would be rounded up to infinity.
    """
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    high = _rounded_bf16(bits)
    infinite = (high & 0x7FFF) == 0x7F80
    if infinite.any():
        high = np.where(infinite, (bits >> 16).astype(np.uint16), high)
    found, left = [high], x
    for _ in range(parts - 1):
        left = left - (found[-1].astype(np.uint32) << 16).view(np.float32)
        found.append(_rounded_bf16(left.view(np.uint32)))
    return found


def _rounded_bf16(bits: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = bits + (0x7FFF + ((bits >> 16) & 1))
    return (rounded >> 16).astype(np.uint16)


def matrix_shape(dims: tuple[int, ...], tile: MatrixTile) -> tuple[int, ...]:
    """The shape of what `pack_matrix` makes of an array."""
    shape = MatrixShape(tile)
    *batch, k, n = dims
    count = -(-k // shape.k_step) * shape.k_step * -(-n // tile.rows) * tile.rows
    return (*batch, count * shape.planes * shape.number_bytes // 4)


def aligned_zeros(dims: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A zeroed array whose data begin at a multiple of 64 bytes."""
    size = prod(dims) * dtype.itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.__array_interface__["data"][0] % 64
    return raw[start : start + size].view(dtype).reshape(dims)
