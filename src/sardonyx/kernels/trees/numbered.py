"""The nodes of trees by depth, and their leaves numbered from the yes side on.

Decides nothing about records or masks; what they have in common is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.ir.algorithms.trees import LEAF

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Numbered:
    """`tree` and `node` of all nodes that are reached, by depth.

    Of each node, `counts` are the leaves under it, and `first` is the first one's number in its tree.
    """

    tree: Array
    node: Array
    counts: Array
    first: Array


Numbering = Callable[[], Numbered | None]
"""Numbers the nodes of a forest, once for all that ask."""


def numbered(tables: Mapping[str, Array]) -> Numbered | None:
    """The nodes of a forest, by the tables of `Forest` in `ops/ml`; None if a node is reached twice."""
    inner, yes, no = tables["mode"] < LEAF, tables["yes"], tables["no"]
    levels = _levels(tables, inner)
    if levels is None:
        return None
    counts, first = np.ones(len(inner), np.int64), np.zeros(len(inner), np.int64)
    above = [node[inner[node]] for _, node in levels]
    for node in reversed(above):
        counts[node] = counts[yes[node]] + counts[no[node]]
    for node in above:
        first[yes[node]], first[no[node]] = first[node], first[node] + counts[yes[node]]
    tree, node = (np.concatenate(column) for column in zip(*levels, strict=True))
    return Numbered(tree, node, counts, first)


def _levels(tables: Mapping[str, Array], inner: Array) -> list[tuple[Array, Array]] | None:
    """Trees and nodes by depth; None if a node is reached twice, or there is none."""
    tree, node = np.arange(len(tables["root"])), tables["root"].astype(np.int64)
    seen, reached = np.zeros(len(inner), bool), 0
    levels = []
    while len(node):
        seen[node] = True
        reached += len(node)
        if np.count_nonzero(seen) < reached:
            return None
        levels.append((tree, node))
        going = inner[node]
        tree, node = tree[going], node[going]
        tree = np.concatenate([tree, tree])
        node = np.concatenate([tables["yes"][node], tables["no"][node]]).astype(np.int64)
    return levels or None
