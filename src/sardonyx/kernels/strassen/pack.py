"""The layout of the right operands that are sums of quarters of B. Must not know graphs or kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import aligned_zeros
from sardonyx.kernels.strassen.scheme import PLAIN, PRODUCTS, right_sums
from sardonyx.kernels.tiles.shape import TileShape

_SUMS = PRODUCTS - PLAIN


def pack_sums(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out sums of quarters of w[..., K, N], rounded once: [pair of panels][sum][K / 2][columns].

    There are no batches. Quarters are halves of K in neighbouring panels; columns behind the last whole pair
    are left out.
    """
    width = TileShape.of(goal, "f32").columns
    packed = aligned_zeros(sums_shape(w.shape, goal), w.dtype)
    k, n = w.shape[-2:]
    w, half, pairs = w.reshape(k, n), k // 2, n // (2 * width)
    for pair, sums in enumerate(packed.reshape(pairs, _SUMS, half, width)):
        both = w[:, 2 * width * pair :][:, : 2 * width].astype(np.float64)
        quarters = [part for rows in (both[:half], both[half:]) for part in np.split(rows, 2, 1)]
        for to, total in zip(sums, right_sums(quarters), strict=True):
            to[...] = total
    return packed


def parts(w: np.ndarray, goal: Goal) -> Iterator[np.ndarray]:
    """Parts of w[..., K, N] whose layouts, one after the other, are that of the whole."""
    width = 2 * TileShape.of(goal, "f32").columns
    for at in range(0, w.shape[-1] // width * width, width):
        yield w[..., at : at + width]


def sums_shape(dims: tuple[int, ...], goal: Goal) -> tuple[int]:
    """The shape of what `pack_sums` makes of an array."""
    width = TileShape.of(goal, "f32").columns
    return (dims[-1] // (2 * width) * _SUMS * (dims[-2] // 2) * width,)
