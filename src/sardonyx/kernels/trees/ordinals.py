"""Small trees for one row: features become ordinals, bytes that tell how many thresholds they pass.

A node asks then whether a byte is as large as another, and a vector asks as many trees as it has bytes. The
leaves of a tree are numbered from the yes side on, and its nodes by the first leaf of their no side. Node by
node in that order, from leaf 0 on: a no takes a walk that stands below a node to the first leaf of its no
side. Decides which forests are asked so, and how their tables lie in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.trees.numbered import Numbering, numbered
from sardonyx.llvm.byte_table import MOST, reach_of

Array = np.ndarray[Any, Any]
MOST_LEAVES = 255
"""Most leaves of a tree: no walk gets to number 255, where steps begin that are no node's."""
ORDINALS = 254
"""Most thresholds of an ordinal: NaN passes one more."""
SEARCHED = 16
"""Thresholds that are compared at once; an ordinal is found by two such comparisons."""
ABREAST = (1, 2, 4)
"""Vectors of trees side by side."""
_WIDE = 64
"""Bytes of the longest vectors, which compare in one instruction."""
_ORDERED = 4
"""The modes below ask whether a feature is on one side of a threshold."""


@dataclass(frozen=True, slots=True)
class Ordinals:
    """A forest by ordinals, all nodes of which ask by the one comparison of `modes`.

    `asked` are the features of searches. A search has `pivots` [searches, SEARCHED], the last ones of runs of
    `limits` [searches, SEARCHED n], thresholds in the order in which numbers pass them, and NaN after them.
    Where `missing`, a second ordinal of all searches lies behind the first ones, that no NaN passes.
    `steps` [slots, abreast, 3, bytes of a vector] are for each node the place of an ordinal, the least one
    that means no, and the first leaf of its yes side; `slots` are those of each block of trees.
    `nodes` [nodes, 3] has the same tree by tree, those of each from its one of `begins` on.
    `leaves` are the nodes that are leaves, by number, those of each tree from its one of `bases` on.
    """

    modes: tuple[int]
    missing: bool
    asked: Array
    pivots: Array
    limits: Array
    steps: Array
    slots: Array
    nodes: Array
    begins: Array
    leaves: Array
    bases: Array

    @property
    def places(self) -> int:
        """How many ordinals there are."""
        return len(self.asked) * (2 if self.missing else 1)

    def table_bytes(self, target: Target) -> int:
        """How many bytes of ordinals are chosen from: whole parts of a table."""
        reach = reach_of(target)
        return -(-self.places // reach) * reach

    @property
    def abreast(self) -> int:
        """Vectors of trees side by side."""
        return int(self.steps.shape[1])

    @property
    def most_leaves(self) -> int:
        """Most leaves of a tree."""
        return int(np.diff(self.begins).max()) + 1

    def row_cycles(self, target: Target) -> float:
        """How many cycles a row takes, about; infinitely many where no table has room for its ordinals."""
        if self.places > 4 * reach_of(target):
            return math.inf
        steps = _step_cycles(self.slots, self.abreast, self.places, target)
        return 100 + 5 * len(self.asked) + steps + 2 * len(self.bases)

    def block_row_cycles(self, picked: bool, outputs: int, target: Target) -> float:
        """How many cycles each row of a block takes, about; `picked` leaves stay in registers."""
        lanes = 4 * target.lanes
        node = (1.6 if lanes == _WIDE else 2.7) / lanes
        leaves = 0.7 if picked else 1.3 * outputs
        return 7 * len(self.asked) + node * len(self.nodes) + leaves * len(self.bases)


def ordinals_of(
    tables: Mapping[str, Array], target: Target, numbering: Numbering | None = None
) -> Ordinals | None:
    """The ordinals of a forest, by the tables of `Forest` in `ops/ml`, or None.

    That is where trees are large, share nodes or ask otherwise than by one comparison, features are many, or
    steps would not stay in the second cache.
    """
    inner, reach = tables["mode"] < LEAF, reach_of(target)
    count = np.count_nonzero(inner)
    if not reach or 6 * count > target.l2_bytes or len(inner) - count > MOST_LEAVES * len(tables["root"]):
        return None
    modes = np.unique(tables["mode"][inner])
    if len(modes) != 1 or modes[0] >= _ORDERED or np.isnan(tables["threshold"][inner]).any():
        return None
    nodes = numbering() if numbering else numbered(tables)
    if nodes is None:
        return None
    counts = nodes.counts[tables["root"]]
    if not 1 < counts.max() <= MOST_LEAVES:
        return None
    is_inner = inner[nodes.node]
    bases, begins = np.cumsum(counts) - counts, np.append(0, np.cumsum(counts - 1))
    leaf = nodes.node[~is_inner]
    leaves = np.zeros_like(leaf)
    leaves[bases[nodes.tree[~is_inner]] + nodes.first[leaf]] = leaf
    node, tree = nodes.node[is_inner], nodes.tree[is_inner]
    mode, is_missing = int(modes[0]), tables["missing"][node]
    place, least, limits, asked = _searched(tables["feature"][node], tables["threshold"][node], mode)
    missing = bool(is_missing.any())
    if len(asked) * (2 if missing else 1) > MOST:
        return None
    place = place + len(asked) * is_missing
    first = nodes.first[node]
    number = first + nodes.counts[tables["yes"][node]]
    asks = np.stack([place, least, first], 1).astype(np.uint8)
    steps, slots = _steps((tree, number), asks, counts - 1, target)
    in_order = np.zeros_like(asks)
    in_order[begins[tree] + number - 1] = asks
    pivots = limits.reshape(len(limits), -1, SEARCHED)[:, :, -1]
    ends = np.full((len(limits), SEARCHED), np.nan, limits.dtype)
    ends[:, : pivots.shape[1]] = pivots
    laid = asked, ends, limits, steps, slots, in_order, begins
    return Ordinals((mode,), missing, *laid, leaves, bases.astype(np.int32))


def _searched(feature: Array, threshold: Array, mode: int) -> tuple[Array, Array, Array, Array]:
    """Of each node its search and the least ordinal that means no; thresholds and features of searches."""
    order = np.argsort(threshold if mode < 2 else -threshold)
    kind = np.uint16 if feature.max() < 1 << 16 else np.int32
    order = order[np.argsort(feature[order].astype(kind), kind="stable")]
    of, limit = feature[order], threshold[order]
    starts = np.append(True, of[1:] != of[:-1])
    fresh = starts | np.append(True, limit[1:] != limit[:-1])
    number = np.cumsum(fresh) - 1
    begin = np.maximum.accumulate(np.where(starts, number, 0))
    within = number - begin
    search = np.cumsum(starts | (fresh & (within % ORDINALS == 0))) - 1
    count = int(search[-1]) + 1
    ordinal = within % ORDINALS
    length = (int(ordinal.max()) + 1) // SEARCHED * SEARCHED + SEARCHED
    limits = np.full((count, length), np.nan, threshold.dtype)
    limits[search, ordinal] = limit
    asked = np.zeros(count, np.int32)
    asked[search] = of
    place, least = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
    place[order], least[order] = search, ordinal + 1
    return place, least, limits, asked


def _steps(where: tuple[Array, Array], asks: Array, sizes: Array, target: Target) -> tuple[Array, Array]:
    """The steps of all blocks of trees, and how many each block has.

    `where` are trees and numbers of the nodes that ask `asks`, `sizes` how many nodes trees have.
    """
    tree, number = where
    lanes, places = 4 * target.lanes, int(asks[:, 0].max()) + 1
    slots = {abreast: _slots(sizes, abreast * lanes) for abreast in ABREAST}
    abreast = min(ABREAST, key=lambda n: _step_cycles(slots[n], n, places, target))
    begin = np.cumsum(slots[abreast]) - slots[abreast]
    steps = np.zeros((int(slots[abreast].sum()), abreast, 3, lanes), np.uint8)
    steps[:, :, 2] = MOST_LEAVES
    steps[begin[tree // (abreast * lanes)] + number - 1, tree // lanes % abreast, :, tree % lanes] = asks
    return steps, slots[abreast]


def _slots(sizes: Array, trees: int) -> Array:
    """The most nodes of a tree in each block of trees."""
    return np.maximum.reduceat(sizes, np.arange(0, len(sizes), trees))


def _step_cycles(slots: Array, abreast: int, places: int, target: Target) -> float:
    """How many cycles steps take, about: each waits for the one before."""
    parts = -(-places // reach_of(target))
    vector = 3.5 if reach_of(target) == 4 * target.lanes else 2 + 1.5 * parts
    return float(slots.sum()) * max(8.0, vector * abreast)
