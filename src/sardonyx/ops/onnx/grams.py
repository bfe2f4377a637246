"""How often n-grams occur, as look-ups and one sum: each token of an n-gram leads from one state to another.

Decides how n-grams are counted without the host. Must not know how their tree is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.algorithms.grams import Pool
from sardonyx.ir.value import Value, concat, const, make

Array = np.ndarray[Any, Any]


def counts(x: Value, tree: Pool, size: int, lengths: tuple[int, int], distances: int) -> Value:
    """How often the n-grams of each column occur in each row of x [rows, tokens]; i32 [rows, size].

    Of the n-grams of the tree those of some lengths count, their tokens up to `distances` apart.
    """
    nothing, one = (const(np.array(n, np.int32)) for n in (0, 1))
    total = nothing.broadcast((x.shape[0], size + 1))
    found = [*_columns(x, tree, size, lengths, distances)]
    if found:
        columns = concat(found, 1)
        attrs = {"axis": 1, "reduction": "add"}
        args = total, columns, one.broadcast(columns.shape)
        total = make("scatter_elements", args, attrs, dt.I32, total.shape)
    return total.slice((0, 0), (x.shape[0], size))


def _columns(x: Value, tree: Pool, size: int, lengths: tuple[int, int], distances: int) -> Iterator[Value]:
    """For each length and distance, the columns of the n-grams that begin at each place; `size` for none.

    States and numbers of tokens are counted from 1 on, 0 is none: no key of two is made of that.
    """
    known = [*tree.numbers]
    keys = np.array(known, object if x.dtype is dt.STRING else np.int64)
    tokens = _looked_up(x, keys, np.arange(len(known)))
    longest = min(
        lengths[1], len(tree.keys), next((n for n, k in enumerate(tree.keys) if not k.size), lengths[1])
    )
    behind = tokens.pad((0, 0), (0, (longest - 1) * distances))
    for distance in range(1, distances + 1):
        state = tokens
        for depth in range(longest):
            if depth:
                later = behind.slice((0, depth * distance), x.shape)
                state = _looked_up(state * (len(known) + 1) + later, *tree.steps(depth))
            if depth + 1 >= lengths[0] and (depth or distance == 1):
                places = tree.places[depth]
                column = np.roll(np.where(places < 0, size, places), 1)
                yield const(column).gather(state, 0)


def _looked_up(x: Value, keys: Array, states: Array) -> Value:
    """One more than the state of each key, 0 for others."""
    return make("lookup", (x, const(keys), const(states + 1), const(np.array(0))), {}, dt.I64, x.shape)
