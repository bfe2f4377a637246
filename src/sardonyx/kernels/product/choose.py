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

LEAST = 4, 32, 16
"""The least M, K and N where weights are constant."""

LEAST_OF_COMPUTED = 16, 16, 16
"""Those where B is split into numbers of registers in every run."""


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a product; None if vectors do."""
    a, b = anchor.args
    tile = goal.find_matrix(BY_LEFT.get(a.dtype, ""))
    if tile is None:
        return None
    least = LEAST if b.is_numeric_const else LEAST_OF_COMPUTED
    sizes = a.shape[-2], a.shape[-1], b.shape[-1]
    if any(isinstance(n, int) and n < fewest for n, fewest in zip(sizes, least, strict=True)):
        return None
    is_safe = not b.is_numeric_const or not b.dtype.is_float or _is_finite(b)
    return tile if is_safe else None


def _is_finite(weights: Value) -> bool:
    """Whether no number is infinite or NaN, of which no two parts are made when they are packed."""
    assert weights.data is not None
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(weights.data.sum()) or np.isfinite(weights.data).all())
