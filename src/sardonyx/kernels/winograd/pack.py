"""The layout of transformed weights. Must not know graphs or how kernels are written."""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.kernels.convolution.by_tap import by_tap
from sardonyx.kernels.digits.numbers import digits_shape, pack_digits
from sardonyx.kernels.product.pack import aligned_empty, pack_b, packed_shape
from sardonyx.kernels.tiles.beside import pack_beside
from sardonyx.kernels.winograd.blocking import packed_sizes
from sardonyx.kernels.winograd.scheme import Scheme

_MOST_PRODUCTS = 1 << 18
"""Those of one product of matrices: few enough for a cache, and for one thread of a BLAS.

OpenBLAS shares more among threads, which wait for each other: on a busy machine for 100 times as long as the
product takes.
"""


def at_once(scheme: Scheme) -> int:
    """Weights of a tap that are transformed at a time."""
    return _MOST_PRODUCTS // (scheme.points * math.prod(scheme.taps))


def pack_winograd_weights(w: np.ndarray, scheme: Scheme, goal: Goal, together: int = 1) -> np.ndarray:
    """Transform w[OC, IC, lines, pixels] in double precision and lay it out: [point][panel][IC][columns].

    Points are those of lines times pixels of a tile; panels as in `pack_b`, zero padded to `packed_sizes`,
    but the last vector as in `pack_beside`, behind them, if its columns have more than one lane `together`.
    Integers are exact. On matrix registers the points are those of `pack_digits`.
    """
    number = np.dtype(np.int16) if scheme.is_whole else w.dtype
    down, across = (np.array(t.weights, np.float64) for t in (scheme.down, scheme.across))
    both = np.kron(down, across)
    channels, outputs = packed_sizes(w.shape[1], w.shape[0], scheme, goal)
    numbers = w.astype(number, copy=False).reshape(*w.shape[:2], math.prod(w.shape[2:]))
    taps = by_tap(numbers, channels, outputs)
    if scheme.tile:
        taps = taps.reshape(len(taps), -1)
    elif together > 1:
        whole = outputs - goal.target.lanes
        last = pack_beside(taps[..., whole : w.shape[0]], [channels], together, goal.target.lanes)
        taps = np.concatenate([pack_b(taps[..., :whole], goal), last], axis=-1)
    else:
        taps = pack_b(taps, goal)
    points = aligned_empty((len(both), taps.shape[1]), number)
    count = at_once(scheme)
    for at in range(0, taps.shape[1], count):
        points[:, at : at + count] = both @ taps[:, at : at + count].astype(np.float64)
    return pack_digits(points.reshape(-1, channels, outputs), scheme.tile) if scheme.tile else points


def winograd_shape(dims: tuple[int, ...], scheme: Scheme, goal: Goal) -> tuple[int, ...]:
    """The shape of what `pack_winograd_weights` makes of floats [OC, IC, lines, pixels]."""
    sizes = packed_sizes(dims[1], dims[0], scheme, goal)
    if scheme.tile:
        return scheme.points, *digits_shape(sizes, scheme.tile)
    return scheme.points, *packed_shape(sizes, np.dtype(np.float32), goal)
