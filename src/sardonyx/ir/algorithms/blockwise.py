"""Products with weights of few bits, whose blocks of k have scales and zero points of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]

BITS = (4, 8)
"""Widths of weights that have kernels."""

GROUP = 16
"""Numbers of k of which a block is a multiple."""

MOST = 127.0
"""The largest point."""

LEAST_LARGEST = 113 - 100 << 23
"""The bits of 2^-114. A row of which no number of a block is larger, but for zeros, has no points."""


def levels(w: Array, bits: int, count: int) -> Array:
    """The first `count` numbers of `bits` bits of each row of bytes w[N, blocks, bytes], low ones first."""
    flat = w.reshape(len(w), -1, 1)
    parts = flat >> np.arange(0, 8, bits, dtype=np.uint8) & np.uint8((1 << bits) - 1)
    return np.asarray(parts.reshape(len(w), -1)[:, :count])


def rounded(a: Array, block: int) -> Array:
    """a[..., m, k] in f32, each block of k rounded to 127 points of either sign, of which one is the largest.

    Rows that are not finite, or have blocks of tiny numbers alone, stay what they are.
    """
    parts = np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, -a.shape[-1] % block)])
    parts = parts.reshape(*a.shape[:-1], -1, block)
    largest = np.abs(parts).max(-1, keepdims=True, initial=0)
    least = np.array(LEAST_LARGEST, np.int32).view(np.float32)
    usual = (largest == 0) | ((largest >= least) & np.isfinite(largest))
    size = np.where(usual & (largest > 0), largest, np.float32(1))
    top = np.float32(MOST)
    with np.errstate(invalid="ignore", over="ignore"):
        points = np.rint(parts * (top / size)) * (size / top).astype(np.float64)
    points = points.reshape(*a.shape[:-1], -1)[..., : a.shape[-1]]
    return np.where(usual.all(-2), points, a)


def dot_blockwise(
    a: Array, w: Array, scales: Array, zeros: Array, *, bits: int, block: int, points: str = ""
) -> Array:
    """y[..., m, n] = sum over k of a[..., m, k] * (w[n, k] - zeros[n, k / block]) * scales[n, k / block].

    w holds its numbers as bytes [N, blocks, block * bits / 8]; scales and zeros are f32 [N, blocks]. `points`
    that are "made" are what a is rounded to first; if "allowed", a target may do that.
    """
    count = a.shape[-1]
    a = rounded(a, block) if points == "made" else a
    wide = [np.repeat(v, block, 1)[:, :count] for v in (zeros, scales)]
    weights = (levels(w, bits, count).astype(np.float32) - wide[0]) * wide[1]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.matmul(a.astype(np.float64), weights.T.astype(np.float64)), np.float32)


register("dot_blockwise", "contract", dot_blockwise, rows=(0,))
