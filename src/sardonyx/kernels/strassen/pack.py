"""The layout of the right operands that are sums of quarters of B. Must not know graphs or kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import PART_BYTES, aligned_empty
from sardonyx.kernels.strassen.scheme import DIFFERENCES, PLAIN, PRODUCTS
from sardonyx.kernels.tiles.shape import TileShape

_SUMS = PRODUCTS - PLAIN


def pack_sums(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out sums of quarters of w[..., K, N], by `DIFFERENCES`: [pair of panels][sum][K / 2][columns].

    There are no batches. Quarters are halves of K in neighbouring panels; columns behind the last whole pair
    are left out.
    """
    width = TileShape.of(goal, "f32").columns
    packed = aligned_empty(sums_shape(w.shape, goal), w.dtype)
    k, n = w.shape[-2:]
    half, pairs = k // 2, n // (2 * width)
    # All pairs in one call: between calls threads wait for the interpreter, which others have.
    halves = w.reshape(k, n)[:, : 2 * width * pairs].reshape(2, half, pairs, 2, width)
    known = [halves[below, :, :, right].swapaxes(0, 1) for below in (0, 1) for right in (0, 1)]
    sums = packed.reshape(pairs, _SUMS, half, width).swapaxes(0, 1)
    for product, minuend, subtrahend in DIFFERENCES:
        known.append(np.subtract(known[minuend], known[subtrahend], out=sums[product - PLAIN]))
    return packed


def parts(w: np.ndarray, goal: Goal) -> Iterator[np.ndarray]:
    """Parts of w[..., K, N] whose layouts, one after the other, are that of the whole."""
    width = 2 * TileShape.of(goal, "f32").columns
    columns = width * max(1, PART_BYTES // (width * w.shape[-2] * w.itemsize))
    whole = w.shape[-1] // width * width
    for at in range(0, whole, columns):
        yield w[..., at : min(at + columns, whole)]


def sums_shape(dims: tuple[int, ...], goal: Goal) -> tuple[int]:
    """The shape of what `pack_sums` makes of an array."""
    width = TileShape.of(goal, "f32").columns
    return (dims[-1] // (2 * width) * _SUMS * (dims[-2] // 2) * width,)
