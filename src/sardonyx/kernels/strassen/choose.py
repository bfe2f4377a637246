"""Which products are computed with seven multiplications in the place of eight; must not know how.

Decides by the machine, the weights and sizes: where sums of quarters keep small numbers exact enough, and
where their additions and memory cost less than the multiplications that they save. They do on processors that
tell how wide their units are. On one that does not, with vectors of 512 bits and 2 MB of L2, products of 64
to 1,024 rows took as long as those of eight, or up to 1.3 times.
"""

from __future__ import annotations

from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.digits import are_whole
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.product.choose import chosen as chosen_matrix
from sardonyx.kernels.product.choose import is_exact
from sardonyx.kernels.tiles.shape import TileShape

_LEAST_ROWS, _LEAST_ROWS_TWICE = 32, 96
"""Rows from which on it is faster, once and twice; fewer are multiplied as they are, in the same call.

The former on one thread: several, which share the rate of memory, need twice as many.
"""

_LEAST_K, _LEAST_N = 384, 384
"""Of the weights; the latter of each thread that makes left operands for itself, too."""

_MOST_APART = 16.0
"""How much larger than a column or a row its partner may be, and than a row the others on the whole.

It takes on errors of their size: a column in its results, a row in those of operands that consist of it.
"""

_MOST_HALVES_APART = 4.0
"""How much larger a half, or a quarter, of the rows of weights may be: operands may consist of the others."""


@dataclass(frozen=True, slots=True)
class Least:
    """Sizes from which on products are computed so: rows on one thread, columns of each of several."""

    rows: int
    rows_twice: int
    columns: int


def levels(anchor: Value, goal: Goal) -> int:
    """How often, 0 to 2, a product may and should be computed so, if it has the rows."""
    policy = goal.policy
    if anchor.prim != "dot" or not policy.may_transform or policy.strassen == "off" or is_exact(anchor):
        return 0
    a, b = anchor.args
    if a.dtype is not dt.F32 or b.dtype is not dt.F32 or not b.is_numeric_const:
        return 0
    assert b.data is not None
    *batches, k, n = b.data.shape
    if prod(batches) != 1:
        return 0
    shape = TileShape.of(goal, "f32")
    if not k or k % (2 * shape.lanes) or n < 2 * shape.columns or chosen_matrix(anchor, goal):
        return 0
    if policy.strassen == "auto" and (k < _LEAST_K or n < _LEAST_N or not goal.target.unit_lanes):
        return 0
    return balanced_levels(b.data.reshape(k, n), shape)


def least_sizes(goal: Goal) -> Least:
    """By what is faster, or as small as can be where the user asks for it."""
    if goal.policy.strassen == "auto":
        return Least(_LEAST_ROWS, _LEAST_ROWS_TWICE, _LEAST_N)
    return Least(2, 4, 1)


def balanced_levels(w: np.ndarray, shape: TileShape) -> int:
    """How often w[K, N] may be summed with itself: finite, not whole numbers, and nowhere much larger.

    Column n of a panel is summed with column n of the next, rows of the first half of K with those of the
    second; then sums of two panels with those of the next two, halves of the halves with each other. Whole
    numbers are refused because their sums are to stay exact.
    """
    k, columns = w.shape[0], shape.columns
    parts = 4 if k % (4 * shape.lanes) == 0 else 2
    pairs = w.shape[1] // (2 * columns)
    quarters = w[:, : 2 * pairs * columns].reshape(parts, k // parts, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("pkn,pkn->pn", quarters, quarters)
    if not np.isfinite(squares).all() or not squares.any():
        return 0
    rows = np.einsum("pkn,pkn->pk", quarters, quarters)
    once = _are_alike(squares.reshape(2, parts // 2, -1).sum(1), rows.reshape(2, -1), columns)
    if not once or are_whole(w):
        return 0
    return 1 + (parts == 4 and pairs > 1 and _are_alike(squares, rows, columns))


def _are_alike(squares: np.ndarray, rows: np.ndarray, columns: int) -> bool:
    """Whether what is summed with each other is of about one size.

    By the sums of squares of the columns of parts of K, [parts, columns], and of their rows, [parts, rows].
    As many panels are summed as there are parts.
    """
    parts = len(squares)
    per_part = squares.sum(1)
    if per_part.max() > _MOST_HALVES_APART**2 * per_part.min():
        return False
    groups = squares.shape[1] // (parts * columns)
    squares = squares[:, : groups * parts * columns].reshape(parts, groups, parts, columns)
    if (squares.max((0, 2)) > _MOST_APART**2 * squares.sum(0).min(1)).any():
        return False
    return not (
        rows.mean() > _MOST_APART**2 * rows.min() or (rows.max(0) > _MOST_APART**2 * rows.min(0)).any()
    )
