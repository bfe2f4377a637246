"""Which products are computed with seven multiplications in the place of eight; must not know how.

Decides by the weights and sizes: where sums of quarters keep small numbers exact enough, and where their
additions cost less than the multiplications that they save.
"""

from __future__ import annotations

from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.product.choose import chosen as chosen_matrix
from sardonyx.kernels.tiles.shape import TileShape

_LEAST_ROWS = 64
"""Rows from which on it is faster; fewer are multiplied as they are, in the same call."""

_LEAST_K, _LEAST_N = 384, 384
"""Of the weights; the latter of each thread that makes left operands for itself, too."""

_MOST_APART = 16.0
"""How much larger than a column or a row its partner may be, and than a row the others on the whole.

It takes on errors of their size: a column in its results, a row in those of operands that consist of it.
"""

_MOST_HALVES_APART = 4.0
"""How much larger one half of the rows of weights may be: the operand may consist of the other half."""


def chosen(anchor: Value, goal: Goal) -> bool:
    """Whether a product may and should be computed so, if it has the rows."""
    policy = goal.policy
    if anchor.prim != "dot" or not policy.may_transform or policy.strassen == "off":
        return False
    a, b = anchor.args
    if a.dtype is not dt.F32 or b.dtype is not dt.F32 or not b.is_numeric_const:
        return False
    assert b.data is not None
    *batches, k, n = b.data.shape
    if prod(batches) != 1:
        return False
    shape = TileShape.of(goal, "f32")
    if not k or k % (2 * shape.lanes) or n < 2 * shape.columns or chosen_matrix(anchor, goal):
        return False
    if policy.strassen == "auto" and (k < _LEAST_K or n < _LEAST_N):
        return False
    return is_balanced(b.data.reshape(k, n), shape.columns)


def least_sizes(goal: Goal) -> tuple[int, int]:
    """Rows, and columns of a thread that shares out columns, from which on such a product is computed so."""
    return (_LEAST_ROWS, _LEAST_N) if goal.policy.strassen == "auto" else (2, 1)


def is_balanced(w: np.ndarray, columns: int) -> bool:
    """Whether w[K, N] may be summed with itself: finite, not whole numbers, and nowhere much larger.

    Column n of a panel of so many columns is summed with column n of the next, rows of the first half of K
    with those of the second. Whole numbers are refused because their sums are to stay exact.
    """
    pairs = w.shape[1] // (2 * columns)
    halves = w[:, : 2 * pairs * columns].reshape(2, w.shape[0] // 2, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("hkn,hkn->hn", halves, halves)
    if not np.isfinite(squares).all() or not squares.any():
        return False
    per_half = squares.sum(1)
    if per_half.max() > _MOST_HALVES_APART**2 * per_half.min():
        return False
    squares = squares.reshape(2, pairs, 2, columns)
    if (squares.max((0, 2)) > _MOST_APART**2 * squares.sum(0).min(1)).any():
        return False
    rows = np.einsum("hkn,hkn->hk", halves, halves)
    if rows.mean() > _MOST_APART**2 * rows.min() or (rows.max(0) > _MOST_APART**2 * rows.min(0)).any():
        return False
    few = w[:1]
    return not np.array_equal(few, np.rint(few)) or not np.array_equal(w, np.rint(w))
