"""The layout of transformed weights. Must not know graphs or how kernels are written."""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.winograd.cook_toom import Matrix, transforms


def pack_winograd_weights(w: np.ndarray, outputs: int, goal: Goal) -> np.ndarray:
    """Transform w[OC, IC, 3, 3] in double precision and lay it out: [point][panel][IC][columns].

    Points are those of rows times columns of a tile of `outputs` x `outputs`; panels as in `pack_b`, zero
    padded to whole blocks of output channels.
    """
    g = _array(transforms(outputs).weights)
    points = np.einsum("ij,kl,ocjl->ikco", g, g, w.astype(np.float64), optimize=True)
    points = points.reshape(-1, *points.shape[2:]).astype(w.dtype)
    beside = -points.shape[-1] % goal.target.channel_block
    return pack_b(np.pad(points, ((0, 0), (0, 0), (0, beside))), goal)


def _array(matrix: Matrix) -> np.ndarray:
    return np.array([[float(entry) for entry in row] for row in matrix])
