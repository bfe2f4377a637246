"""Weights in two parts, so that sums of 16 bits hold the products of one with any bytes.

Some instructions add products of bytes in 16 bits before they are widened. Most weights of real models are so
small that this is exact; what is too much of a few is left to a product of those rows alone. As bytes are not
negative, what counts of a sum are the weights of each sign. Decides what is left and whether that pays; must
not know the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.named import NamedTuple
from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile

Array = np.ndarray[Any, Any]

IN_PAIRS = "i8pairs"
"""The operands of the tile that widens each sum of two products."""

_MOST_ROWS = 1 / 8
"""The share of rows that may be multiplied once more: longer sums take that much of what short ones save."""

_MOST_SUMS, _FEW_SUMS = 1 / 64, 64
"""The share of sums that may be too large; more than few are hardly ever in few rows."""

_LEAST_COLUMNS, _LEAST_INNER, _MOST_INNER = 64, 64, 1 << 14
"""Sizes of products that gain by a look at their numbers; some tiles of their rows fit into any L2."""

_PART_BYTES = 1 << 18
"""About as many weights are looked at a time as stay in a cache of the CPU."""


@dataclass(frozen=True, slots=True)
class Parts:
    """w[..., K, N] is `kept` and, in those `rows` of K, `rest`, which is [..., rows, N] in 16 bits."""

    kept: Array
    rows: Array
    rest: Array


def shortest(w: Array, goal: Goal) -> Parts | None:
    """The parts for the tile of bytes that adds the most products in 16 bits; None if there is none.

    All are kept where products look at what they multiply.
    """
    tiles = [tile for operand in ("i8", IN_PAIRS) if (tile := goal.find_tile(operand))]
    found = next((found for tile in tiles if (found := parts(w, tile))), None)
    return _whole(w) if found is None and serves_any(w, goal) else found


def serves_any(w: Array, goal: Goal) -> bool:
    """Whether weights [..., K, N] may be any for products in pairs, which then look at the other operand.

    That takes as long as some columns. There are no batches of weights.
    """
    *batch, k, n = w.shape
    gains = prod(batch) == 1 and n >= _LEAST_COLUMNS and _LEAST_INNER <= k <= _MOST_INNER
    return gains and goal.find_tile(IN_PAIRS) is not None


def fits(w: Array, tile: RegisterTile) -> bool:
    """Whether no sum of 16 bits of weights [..., K, N] is over the tile's limit."""
    if not tile.limit or not w.size:
        return True
    large = _large(w.reshape(-1, *w.shape[-2:]), tile)
    return not any(
        (_of_sign(some.terms, sign).sum(0) > tile.limit).any() for some in large for sign in (1, -1)
    )


def parts(w: Array, tile: RegisterTile) -> Parts | None:
    """The parts for a tile; None if too many rows would have a rest. Without a limit w is kept as it is."""
    *batch, k, n = w.shape
    if not tile.limit or not w.size:
        return _whole(w)
    most = max(_FEW_SUMS, _MOST_SUMS * w.size / (2 * tile.instruction.steps))
    excess = _excess(w.reshape(-1, k, n), tile, most)
    if excess is None:
        return None
    rows, numbers = np.unique(excess.row, return_inverse=True)
    if not rows.size:
        return _whole(w)
    if rows.size > _MOST_ROWS * k:
        return None
    rest: Array = np.zeros((w.size // (k * n), rows.size, n), np.int16)
    rest[excess.sample, numbers, excess.column] = excess.amount
    return Parts(excess.taken_from(w), rows, rest.reshape(*batch, rows.size, n))


def _whole(w: Array) -> Parts:
    """All weights, without a rest."""
    *batch, _, n = w.shape
    return Parts(w, np.zeros(0, np.int64), np.zeros((*batch, 0, n), np.int16))


def summands(w: Array, tile: RegisterTile) -> tuple[Array, list[Array]]:
    """Arrays of bytes whose sum weights [batch, K, N] are: one for the tile, others for a step at a time."""
    alone = replace(tile, instruction=replace(tile.instruction, steps=1))
    kept, rest = taken_apart(w, tile)
    others = []
    while rest.any():
        some, rest = taken_apart(rest, alone)
        others.append(some)
    return kept, others


def taken_apart(w: Array, tile: RegisterTile) -> tuple[Array, Array]:
    """Weights of bytes [batch, K, N] without what is too much of some, and that."""
    if not w.size:
        return w, w
    excess = _excess(w, tile, w.size)
    assert excess is not None
    kept = excess.taken_from(w)
    return kept, w - kept


class _Excess(NamedTuple):
    """What is too much of single weights [batch, K, N], and where these are."""

    sample: Array
    row: Array
    column: Array
    amount: Array

    def taken_from(self, w: Array) -> Array:
        """Weights of any batch without it."""
        kept = w.reshape(-1, *w.shape[-2:]).copy()
        kept[self.sample, self.row, self.column] -= self.amount.astype(w.dtype)
        return kept.reshape(w.shape)


class _Sums(NamedTuple):
    """Some sums of 16 bits: sample, row of the first term and column of each, and its terms [terms, sums]."""

    sample: Array
    row: Array
    column: Array
    terms: Array


def _large(w: Array, tile: RegisterTile) -> Iterator[_Sums]:
    """The sums over weights [batch, K, N] whose terms are too large together if signs are left out.

    A lane of 16 bits adds the products of two neighbouring rows of each of some steps. Some rows are looked
    at together, which stay in cache, and as bytes, which numpy is fast with.
    """
    batch, k, n = w.shape
    together, lanes = tile.instruction.steps, tile.k_step // 2
    depth = together * tile.k_step
    rows = depth * max(1, _PART_BYTES // (batch * n * depth))
    for first in range(0, k, rows):
        some = w[:, first : first + rows]
        if missing := -some.shape[1] % depth:
            some = np.pad(some, ((0, 0), (0, missing), (0, 0)))
        signed, magnitudes = (
            bytes_.reshape(batch, -1, together, lanes, 2, n).transpose(2, 4, 0, 1, 3, 5)
            for bytes_ in (some, np.abs(some).view(np.uint8))
        )
        sample, place, lane, column = np.unravel_index(*_over(magnitudes, tile.limit))
        terms = signed[:, :, sample, place, lane, column].reshape(2 * together, -1).astype(np.int16)
        yield _Sums(sample, first + place * depth + 2 * lane, column, terms)


def _over(terms: Array, limit: int) -> tuple[Array, tuple[int, ...]]:
    """Where sums of the first two axes of unsigned bytes are over a limit, counted through a shape."""
    room: Array = np.full(terms.shape[2:], limit, np.uint8)
    over = np.zeros(room.shape, np.bool_)
    for step, one in np.ndindex(terms.shape[:2]):
        term = terms[step, one]
        over |= term > room
        room -= np.minimum(term, room)
    return np.flatnonzero(over), over.shape


def _of_sign(terms: Array, sign: int) -> Array:
    """The magnitudes of terms that have a sign."""
    found: Array = np.maximum(sign * terms, 0)
    return found


def _excess(w: Array, tile: RegisterTile, most: float) -> _Excess | None:
    """What is too much of weights [batch, K, N], of the largest first; None if `most` sums do not suffice."""
    inside = np.add.outer(np.arange(tile.instruction.steps) * tile.k_step, np.arange(2)).reshape(-1)
    found, count = [], 0
    for some in _large(w, tile):
        for sign in (1, -1):
            values = _of_sign(some.terms, sign)
            at = np.flatnonzero(values.sum(0) > tile.limit)
            count += at.size
            if count > most:
                return None
            if not at.size:
                continue
            values = values[:, at]
            order = np.argsort(-values, 0, kind="stable")
            falling = np.take_along_axis(values, order, 0)
            before = np.cumsum(falling, 0) - falling
            cut = np.clip(values.sum(0) - tile.limit - before, 0, falling)
            amount = np.zeros_like(values)
            np.put_along_axis(amount, order, cut.astype(np.int16), 0)
            term, of = np.nonzero(amount)
            row = some.row[at][of] + inside[term]
            found.append((some.sample[at][of], row, some.column[at][of], sign * amount[term, of]))
    none = np.zeros(0, np.intp)
    return _Excess(*map(np.concatenate, zip((none,) * 4, *found, strict=True)))
