"""Paths through costs and through tokens, which depend on themselves step by step; they run on the host.

Registered as opaque primitives: time_warp and token_branch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def time_warp(cost: Array) -> tuple[Array]:
    """The cheapest way [2, P] from the first to the last corner of costs [M, N].

    A step goes on by a row, a column or both; of equal ones that by a column is taken.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf, np.float32)
    total[0, 0] = 0
    came = np.zeros((rows + 1, columns + 1), np.int8)
    for j in range(1, columns + 1):
        for i in range(1, rows + 1):
            both, row, column = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
            step = 0 if both < row and both < column else 1 if row < both and row < column else 2
            came[i, j] = step
            total[i, j] = (both, row, column)[step] + cost[i - 1, j - 1]
    i, j, path = rows, columns, list[tuple[int, int]]()
    while i > 0 and j > 0:
        path.append((i - 1, j - 1))
        step = came[i, j]
        i, j = i - (step < 2), j - (step != 1)
    return (np.array(path[::-1], np.int32).reshape(-1, 2).T.copy(),)


def token_branch(
    source: Array, tokens: Array, start: Array, *predicted: Array, least: int, most: int
) -> tuple[Array, Array]:
    """Tokens, continued by those predicted up to the first that the source has not from `start` on.

    Also the place in the source after their last n-gram, the longest that it has just once, or -1.
    """
    if predicted:
        begun, rest = int(start), source[int(start) :] if 0 <= int(start) <= len(source) else None
        if rest is None or len(predicted[0]) != len(rest) + 1:
            raise ValueError(
                f"{len(predicted[0])} predicted tokens do not continue {len(source)} tokens from {begun} on"
            )
        apart = np.flatnonzero(predicted[0][:-1] != rest)
        tokens = np.concatenate([tokens, predicted[0][: (apart[0] if len(apart) else len(rest)) + 1]])
    found = -1
    for size in range(least, min(most, len(tokens)) + 1):
        views = np.lib.stride_tricks.sliding_window_view(source, size) if size <= len(source) else source[:0]
        places = np.flatnonzero((views == tokens[len(tokens) - size :]).all(-1)) if len(views) else source[:0]
        if not len(places):
            break
        found = int(places[0]) + size
        if found >= len(source):
            break
        if len(places) > 1:
            found = -1
    return tokens, np.array(found, np.int64)


register("time_warp", "opaque", time_warp)
register("token_branch", "opaque", token_branch)
