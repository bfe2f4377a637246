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
from sardonyx.kernels.contents import allows
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
"""The feature of cores that fetch more of two stretches of memory than of one, and of what is asked for.

Their third cache is hardly faster than memory.
"""

_SCALE = 2.0**16
"""Changes are about as large as numbers when they are multiplied by it."""

_LEAST_SUM = 1e-24
"""Of squares that float32 holds well enough."""

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
        if not _leave(b.data.nbytes, goal) or not (samples or goal.grows) or b.data.nbytes < _LEAST_BYTES:
            return False
    return allows(b, is_near)


def _leave(size: int, goal: Goal) -> bool:
    """Whether weights of so many bytes do not stay in a cache that is fast enough, and may be kept twice."""
    is_near = not goal.target.has(TWO_STREAMS) or size <= goal.target.l2_bytes
    return goal.streams or not (goal.keeps_once or is_near)


def _are_shorter(anchor: Value, goal: Goal) -> bool:
    """Whether matrix registers read weights that are shorter still."""
    tile = on_matrices(anchor, goal)
    shape = MatrixShape(tile) if tile else None
    return shape is not None and shape.planes * shape.number_bytes < SHORT_BYTES


def most_rows(goal: Goal) -> int:
    """Rows up to which a product waits for its weights, not for its sums: 4 with vectors of 512 bits."""
    return max(1, goal.target.lanes // 4)


def is_near(w: Array) -> bool:
    """Whether w[..., K, N] without batches may be rounded.

    No column changes much, and whole numbers do not change at all. Nothing is infinite, NaN or so large that
    it would be rounded to infinity.
    """
    w = w.reshape(w.shape[-2:])
    with np.errstate(over="ignore", invalid="ignore"):
        squares, changes = _squares(w, np.float32)
        if not _are_held(squares, changes, w):
            squares, changes = _squares(w, np.float64)
        if not changes.any():
            return True
        return bool((changes <= (_MOST_CHANGED * _SCALE) ** 2 * squares).all()) and not are_whole(w)


def _squares(w: Array, kind: type) -> tuple[Array, Array]:
    """The sums of squares of each column of w[K, N], and of what rounding changes, times `_SCALE`.

    Squares have a type of floats, of which as many are summed as are looked at together.
    """
    squares, changes = np.zeros((2, w.shape[1]))
    for columns, part in _parts(w):
        change = rounded(part.view(np.uint32)).view(np.float32)
        change -= part
        change *= np.float32(_SCALE)
        for sums, numbers in ((squares, part), (changes, change)):
            exact: Array = numbers.astype(kind, copy=False)
            sums[columns] += np.einsum("kn,kn->n", exact, exact)
    return squares, changes


def _are_held(squares: Array, changes: Array, w: Array) -> bool:
    """Whether sums of squares of float32 are right: finite, and not too small but for columns of zeros."""
    small = squares < _LEAST_SUM
    if small.any() and w[:, small].any():
        return False
    return bool(max(squares.max(), changes.max()) < 1 / _LEAST_SUM)


def rounded(bits: Array) -> Array:
    """The bits of the nearest floats whose lowest byte is 0, the even ones of two."""
    nearest: Array = bits >> np.uint32(8)
    nearest &= np.uint32(1)
    nearest += np.uint32(0x7F)
    nearest += bits
    nearest &= np.uint32(0xFFFFFF00)
    return nearest


def _parts(w: Array) -> Iterator[tuple[slice, Array]]:
    """Columns, and all their numbers or some, in an order that memory has them in."""
    if w.flags.f_contiguous and not w.flags.c_contiguous:
        step = max(1, _PART // w.shape[0])
        for at in range(0, w.shape[1], step):
            yield slice(at, at + step), w[:, at : at + step]
        return
    rows = max(1, _PART // w.shape[1])
    for at in range(0, len(w), rows):
        yield slice(None), np.ascontiguousarray(w[at : at + rows])
