"""Whether a product is computed on matrix registers; must not know how.

Where its sizes are known, that is where it is faster. An unknown number of rows is taken for many: few rows
are bound by memory on both ways, and wait less where weights are rounded. Two operands of which no size is
known are left to vectors. So are batches of two computed ones in `fp32`, which are attention's: exp turns
what a score is off into a relative error.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.digits import are_whole
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.tiles.shape import BY_LEFT

LEAST = 4, 32, 16
"""The least M, K and N where weights are constant."""

LEAST_OF_ROUNDED = 1, *LEAST[1:]
"""Those where weights are rounded to one number of a register."""

LEAST_OF_FEW_BITS = 32, *LEAST[1:]
"""Those where weights of few bits become floats in every run."""

LEAST_OF_COMPUTED = 16, 16, 16
"""Those where B is split into numbers of registers in every run."""


def chosen(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The tile of matrix registers that serves a product; None if vectors do."""
    a, b = anchor.args
    tile = goal.find_matrix(BY_LEFT.get(a.dtype, ""), everywhere=is_exact(anchor))
    if tile is None:
        return None
    constant = b.is_numeric_const
    if not constant and b.rank > 2 and not tile.everywhere:
        return None
    least = LEAST_OF_COMPUTED if not constant else LEAST_OF_ROUNDED if tile.terms == 1 else LEAST
    inner = next((n for n in (a.shape[-1], b.shape[-2]) if isinstance(n, int)), None)
    sizes = a.shape[-2], inner, b.shape[-1]
    if not any(isinstance(n, int) for n in sizes[1:]):
        return None
    if any(isinstance(n, int) and n < fewest for n, fewest in zip(sizes, least, strict=True)):
        return None
    is_safe = not constant or not b.dtype.is_float or allows(b, have_parts)
    return tile if is_safe else None


def chosen_blockwise(anchor: Value, goal: Goal) -> MatrixTile | None:
    """The same for a product with weights of few bits, which are split where they become floats."""
    a, _, scales, zeros = anchor.args
    tile = goal.find_matrix("f32")
    rows, inner, columns = a.shape[-2], a.shape[-1], anchor.shape[-1]
    sizes = zip((rows, inner, columns), LEAST_OF_FEW_BITS, strict=True)
    if tile is None or any(isinstance(n, int) and n < fewest for n, fewest in sizes):
        return None
    assert scales.data is not None and zeros.data is not None
    whole = are_whole(scales.data) and are_whole(zeros.data)
    return None if whole or not np.isfinite(scales.data).all() else tile


def is_exact(anchor: Value) -> bool:
    """Whether a product is to be off by no more than sums of single products are."""
    return bool(anchor.attrs.get("exact", False))


def have_parts(weights: np.ndarray) -> bool:
    """Whether weights may be split: none is infinite or NaN, and not all are whole, whose sums stay exact."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(weights.sum()) and not np.isfinite(weights).all():
            return False
    return not are_whole(weights)
