"""Products with weights of few bits, whose blocks of k have scales and zero points of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def levels(w: Array, bits: int, count: int) -> Array:
    """The first `count` numbers of `bits` bits of each row of bytes w[N, blocks, bytes], low ones first."""
    flat = w.reshape(len(w), -1, 1)
    parts = flat >> np.arange(0, 8, bits, dtype=np.uint8) & np.uint8((1 << bits) - 1)
    return np.asarray(parts.reshape(len(w), -1)[:, :count])


def dot_blockwise(a: Array, w: Array, scales: Array, zeros: Array, *, bits: int, block: int) -> Array:
    """y[..., m, n] = sum over k of a[..., m, k] * (w[n, k] - zeros[n, k / block]) * scales[n, k / block].

    w holds its numbers as bytes [N, blocks, block * bits / 8]; scales and zeros are f32 [N, blocks].
    """
    count = a.shape[-1]
    wide = [np.repeat(v, block, 1)[:, :count] for v in (zeros, scales)]
    weights = (levels(w, bits, count).astype(np.float32) - wide[0]) * wide[1]
    return np.asarray(np.matmul(a.astype(np.float64), weights.T.astype(np.float64)), a.dtype)


register("dot_blockwise", "contract", dot_blockwise, rows=(0,))
