"""The layout of transformed weights. Must not know graphs or how kernels are written."""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import aligned_zeros, pack_b
from sardonyx.kernels.winograd.cook_toom import transforms

_AT_ONCE = 1 << 11
"""Weights of a tap that are transformed at a time: few enough for a cache, and for one thread of a BLAS."""


def pack_winograd_weights(w: np.ndarray, outputs: int, goal: Goal) -> np.ndarray:
    """Transform w[OC, IC, 3, 3] in double precision and lay it out: [point][panel][IC][columns].

    Points are those of rows times columns of a tile of `outputs` x `outputs`; panels as in `pack_b`, zero
    padded to whole blocks of output channels.
    """
    rows = np.array(transforms(outputs).weights, np.float64)
    both = np.kron(rows, rows)
    taps = w.reshape(*w.shape[:2], -1).transpose(2, 1, 0)
    beside = -w.shape[0] % goal.target.channel_block
    taps = pack_b(np.pad(taps, ((0, 0), (0, 0), (0, beside))), goal)
    points = aligned_zeros((len(both), taps.shape[1]), w.dtype)
    for at in range(0, taps.shape[1], _AT_ONCE):
        points[:, at : at + _AT_ONCE] = both @ taps[:, at : at + _AT_ONCE].astype(np.float64)
    return points
