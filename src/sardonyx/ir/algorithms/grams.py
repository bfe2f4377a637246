"""How often the n-grams of a pool occur in rows of texts or numbers, on the host: text_grams.

The pool is a tree: a state is an n-gram or the beginning of one, the next token leads from one to another.
All rows and places take a step at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.ir.algorithms.text import kept
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Pool:
    """A tree of n-grams: `numbers` of tokens; by length, the sorted `keys` of steps and where each `leads`.

    A key is state * tokens + number. `places` [states + 1] are the columns of n-grams, by length; -1 for mere
    beginnings and for no state.
    """

    numbers: dict[Any, int]
    keys: list[Array]
    leads: list[Array]
    places: list[Array]

    @staticmethod
    def of(pool: tuple[Any, ...], counts: tuple[int, ...], indexes: tuple[int, ...]) -> Pool:
        """The tree of n-grams that stand one after the other in `pool`, from `counts[n - 1]` on."""
        numbers = {token: n for n, token in enumerate(dict.fromkeys(pool))}
        steps: list[dict[int, int]] = [{n: n for n in range(len(numbers))}, *({} for _ in counts[1:])]
        places: list[dict[int, int]] = [{} for _ in counts]
        for gram, place in zip(_grams(pool, counts), indexes, strict=False):
            state = numbers[gram[0]]
            for depth, token in enumerate(gram[1:], 1):
                key = state * len(numbers) + numbers[token]
                state = steps[depth].setdefault(key, len(steps[depth]))
            places[len(gram) - 1].setdefault(state, place)
        columns = [np.full(len(step) + 1, -1) for step in steps]
        for column, ends in zip(columns, places, strict=True):
            column[list(ends)] = list(ends.values())
        keys = [np.array(sorted(step), np.int64) for step in steps]
        leads = [np.array([step[key] for key in sorted(step)], np.int64) for step in steps]
        return Pool(numbers, keys, leads, columns)

    def steps(self, depth: int) -> tuple[Array, Array]:
        """The keys of steps and where they lead, with states and numbers of tokens counted from 1 on."""
        state, token = np.divmod(self.keys[depth], len(self.numbers))
        return (state + 1) * (len(self.numbers) + 1) + token + 1, self.leads[depth]

    def follow(self, state: Array, token: Array, depth: int) -> Array:
        """The states that tokens lead to; -1 stands for none."""
        keys = self.keys[depth]
        if not keys.size:
            return np.full(state.shape, -1)
        wanted = np.where((state >= 0) & (token >= 0), state * len(self.numbers) + token, -1)
        at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return np.where(keys[at] == wanted, self.leads[depth][at], -1)

    def found(self, tokens: Array, least: int, most: int, skips: int) -> Iterator[Array]:
        """For each length and distance of parts, the columns of the n-grams at each place of each row."""
        for step in range(1, min(skips + 1, max(tokens.shape[1] - 1, 1)) + 1):
            state = tokens
            for depth in range(most):
                later = tokens[:, depth * step :]
                if depth:
                    state = self.follow(state[:, : later.shape[1]], later, depth)
                if depth + 1 >= least and (depth or step == 1):
                    yield self.places[depth][state]


def _grams(pool: tuple[Any, ...], counts: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    for length, (start, end) in enumerate(zip(counts, (*counts[1:], len(pool)), strict=True), 1):
        for at in range(start, end - length + 1, length):
            yield pool[at : at + length]


def grams(
    x: Array,
    *,
    pool: tuple[Any, ...],
    counts: tuple[int, ...],
    indexes: tuple[int, ...],
    weights: tuple[float, ...],
    mode: str,
    lengths: tuple[int, int],
    skips: int,
) -> Array:
    """How often each n-gram of the pool occurs in the rows of x, its parts up to `skips` elements apart."""
    tree = kept(Pool.of, pool, counts, indexes)
    size, width = max(indexes) + 1, x.shape[-1] if x.ndim else 1
    flat = np.fromiter(map(tree.numbers.get, x.reshape(-1).tolist(), repeat(-1)), np.int64, x.size)
    tokens = flat.reshape((x.size // width if width else int(np.prod(x.shape[:-1])), width))
    total = np.zeros(len(tokens) * size, np.int64)
    first = size * np.arange(len(tokens))[:, None]
    for columns in tree.found(tokens, lengths[0], min(lengths[1], len(counts)), skips):
        total += np.bincount((first + columns)[columns >= 0], minlength=total.size)
    found = total.reshape((len(tokens), size)).astype(np.float32)
    scale = np.ones(size, np.float32)
    scale[list(indexes[: len(weights)])] = weights
    if mode == "IDF":
        found = (found > 0) * scale
    elif mode == "TFIDF":
        found = found * scale
    return found.reshape((*x.shape[:-1], size)).astype(np.float32, copy=False)


register("text_grams", "opaque", grams)
