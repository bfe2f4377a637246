"""Whether a product is computed on matrix registers; must not know how.

Where its sizes are known, that is where it is faster. An unknown number of rows is taken for many: few rows
are bound by memory on both ways.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.shape import BY_LEFT

_LEAST_K, _LEAST_N, _LEAST_M = 32, 16, 4


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a product; None if vectors do."""
    a, b = anchor.args
    tile = goal.find_matrix(BY_LEFT.get(a.dtype, ""))
    if tile is None or not b.is_numeric_const:
        return None
    sizes = (a.shape[-2], _LEAST_M), (a.shape[-1], _LEAST_K), (b.shape[-1], _LEAST_N)
    if any(isinstance(size, int) and size < least for size, least in sizes):
        return None
    return tile if _is_finite(b) else None


def _is_finite(weights: Value) -> bool:
    """Whether no number is infinite or NaN, of which no two parts are made when they are packed."""
    assert weights.data is not None
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(weights.data.sum()) or np.isfinite(weights.data).all())
