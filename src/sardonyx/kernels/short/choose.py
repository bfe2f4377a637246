"""Which products of few rows read weights of 24 bits; must not know how.

Decides by the rows, which may be few, and by what rounding changes: no more than `fp32` promises of a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.digits import are_whole
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value
from sardonyx.kernels.product.choose import chosen as on_matrices
from sardonyx.kernels.product.choose import is_exact
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import SHORT_BYTES

Array = np.ndarray

_LEAST_BYTES = 1 << 18
"""Of weights, where the user leaves it to us."""

_MOST_CHANGED = 9e-6
"""By how much a column may change at most, of its length; independent roundings change it by 6.5e-6."""

TWO_STREAMS = "amx-tile"
"""The feature of cores that fetch more of two stretches of memory than of one, and of what is asked for."""

_PART = 1 << 16
"""Numbers that stay in a cache of the CPU while they are looked at."""


def chosen(anchor: Value, rows: Dim, goal: Goal) -> bool:
    """Whether a product of so many rows reads its weights so while these are few.

    Unknown rows are likely to be few if they are samples, or what a model appends to what it keeps.
    """
    policy = goal.policy
    if not policy.may_transform or policy.short_weights == "off":
        return False
    if is_exact(anchor) or _are_shorter(anchor, goal):
        return False
    a, b = anchor.args
    if a.dtype is not dt.F32 or b.dtype is not dt.F32 or not b.is_numeric_const:
        return False
    assert b.data is not None
    if prod(b.data.shape[:-2]) != 1 or not b.data.size or (dims.lower_bound(rows) or 0) > most_rows(goal):
        return False
    if policy.short_weights == "auto":
        samples = isinstance(rows, int) or (a.rank == 2 and len(dims.symbols(rows)) < 2)
        if not goal.streams or not (samples or goal.grows) or b.data.nbytes < _LEAST_BYTES:
            return False
    return is_near(b.data.reshape(b.data.shape[-2:]))


def _are_shorter(anchor: Value, goal: Goal) -> bool:
    """Whether matrix registers read weights that are shorter still."""
    tile = on_matrices(anchor, goal)
    shape = MatrixShape(tile) if tile else None
    return shape is not None and shape.planes * shape.number_bytes < SHORT_BYTES


def most_rows(goal: Goal) -> int:
    """Rows up to which a product waits for its weights, not for its sums: 4 with vectors of 512 bits."""
    return max(1, goal.target.lanes // 4)


def is_near(w: Array) -> bool:
    """Whether w[K, N] may be rounded: no column changes much, and whole numbers do not change at all.

    Nothing is infinite, NaN or so large that it would be rounded to infinity.
    """
    squares, changes = np.zeros((2, w.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for part in _parts(w):
            change = rounded(part.view(np.uint32)).view(np.float32) - part
            for sums, numbers in ((squares, part), (changes, change)):
                exact = numbers.astype(np.float64)
                sums += np.einsum("kn,kn->n", exact, exact)
    if not changes.any():
        return True
    return bool((changes <= _MOST_CHANGED**2 * squares).all()) and not are_whole(w)


def rounded(bits: Array) -> Array:
    """The bits of the nearest floats whose lowest byte is 0, the even ones of two."""
    nearest: Array = bits + (((bits >> 8) & 1) + 0x7F) & np.uint32(0xFFFFFF00)
    return nearest


def _parts(w: Array) -> Iterator[Array]:
    rows = max(1, _PART // w.shape[1])
    for at in range(0, len(w), rows):
        yield np.ascontiguousarray(w[at : at + rows])
