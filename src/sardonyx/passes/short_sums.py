"""Weights in two parts, so that sums of 16 bits hold the products of one with any bytes.

Some instructions add products of bytes in 16 bits before they are widened. Most weights of real models are so
small that this is exact; what is too much of a few is left to a product of those rows alone. As bytes are not
negative, what counts of a sum are the weights of each sign. Decides what is left and whether that pays; must
not know the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile

Array = np.ndarray[Any, Any]

IN_PAIRS = "i8pairs"
"""The operands of the tile that widens each sum of two products."""

_MOST_ROWS = 1 / 8
"""The share of rows that may be multiplied once more: longer sums take that much of what short ones save."""

_MOST_SUMS, _FEW_SUMS = 1 / 64, 64
"""The share of sums that may be too large; more than few are hardly ever in few rows."""


@dataclass(frozen=True, slots=True)
class Parts:
    """w[..., K, N] is `kept` and, in those `rows` of K, `rest`, which is [..., rows, N] in 16 bits."""

    kept: Array
    rows: Array
    rest: Array


def shortest(w: Array, goal: Goal) -> Parts | None:
    """The parts for the tile of bytes that adds the most products in 16 bits; None if there is none."""
    tiles = [tile for operand in ("i8", IN_PAIRS) if (tile := goal.find_tile(operand))]
    return next((found for tile in tiles if (found := parts(w, tile))), None)


def fits(w: Array, tile: RegisterTile) -> bool:
    """Whether no sum of 16 bits of weights [..., K, N] is over the tile's limit."""
    if not tile.limit or not w.size:
        return True
    return all((totals <= tile.limit).all() for _, _, totals in _sums(w.reshape(-1, *w.shape[-2:]), tile))


def parts(w: Array, tile: RegisterTile) -> Parts | None:
    """The parts for a tile; None if too many rows would have a rest. Without a limit w is kept as it is."""
    *batch, k, n = w.shape
    whole = Parts(w, np.zeros(0, np.int64), np.zeros((*batch, 0, n), np.int16))
    if not tile.limit or not w.size:
        return whole
    most = max(_FEW_SUMS, _MOST_SUMS * w.size / (2 * tile.instruction.steps))
    rest = _excess(w.reshape(-1, k, n), tile, most)
    if rest is None:
        return None
    rows = np.flatnonzero(rest.any((0, 2)))
    if not rows.size:
        return whole
    if rows.size > _MOST_ROWS * k:
        return None
    rest = rest.reshape(w.shape)[..., rows, :]
    kept = w.copy()
    kept[..., rows, :] -= rest.astype(w.dtype)
    return Parts(kept, rows, rest)


def both(w: Array, tile: RegisterTile) -> tuple[Array, Array]:
    """Two arrays of bytes whose sum weights [batch, K, N] are, neither with a sum of two over the limit."""
    assert tile.instruction.steps == 1
    rest = _excess(w, tile, w.size)
    assert rest is not None
    return (w - rest).astype(np.int8), rest.astype(np.int8)


def _sums(w: Array, tile: RegisterTile) -> Iterator[tuple[int, Array, Array]]:
    """For each sign the magnitudes of weights [batch, K, N] that have it, by sum and term, and their totals.

    A lane of 16 bits adds the products of two neighbouring rows of each of some steps.
    """
    batch, k, n = w.shape
    together, lanes = tile.instruction.steps, tile.k_step // 2
    missing = -k % (together * tile.k_step)
    whole = np.pad(w, ((0, 0), (0, missing), (0, 0))) if missing else w
    # The magnitude of -128 is one of unsigned bytes alone.
    for sign, bytes_ in ((1, np.maximum(whole, 0)), (-1, -np.minimum(whole, 0))):
        terms = bytes_.view(np.uint8).reshape(batch, -1, together, lanes, 2, n)
        totals: Array = np.zeros((batch, terms.shape[1], lanes, n), np.int16)
        for step, row in np.ndindex(together, 2):
            totals += terms[:, :, step, :, row]
        yield sign, terms.transpose(0, 1, 3, 5, 2, 4), totals


def _excess(w: Array, tile: RegisterTile, most: float) -> Array | None:
    """What is too much of weights [batch, K, N], of the largest first; None if `most` sums do not suffice."""
    batch, k, n = w.shape
    together, depth = tile.instruction.steps, tile.k_step
    rest: Array = np.zeros((batch, k + -k % (together * depth), n), np.int16)
    first = np.add.outer(np.arange(together) * depth, np.arange(2)).reshape(-1)
    for sign, terms, totals in _sums(w, tile):
        over = np.nonzero(totals > tile.limit)
        if over[0].size > most:
            return None
        values = terms[over].reshape(-1, 2 * together).astype(np.int16)
        order = np.argsort(-values, 1, kind="stable")
        falling = np.take_along_axis(values, order, 1)
        before = np.cumsum(falling, 1) - falling
        cut = np.clip((totals[over] - tile.limit)[:, None] - before, 0, falling)
        found = np.zeros_like(values)
        np.put_along_axis(found, order, cut.astype(np.int16), 1)
        sample, step, lane, column = (index[:, None] for index in over)
        rest[sample, step * together * depth + 2 * lane + first, column] += sign * found
    return rest[:, :k]
