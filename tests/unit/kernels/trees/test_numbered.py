"""Leaves are numbered from the yes side on, and nodes know how many are under them."""

from __future__ import annotations

import numpy as np

from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.trees.numbered import numbered
from tests.unit.kernels.trees.test_bits import tables


def test_leaves_in_order() -> None:
    forest = tables(7, 6)
    found = numbered(forest)
    assert found is not None
    for tree, root in enumerate(forest["root"]):
        leaves, left = [], [int(root)]
        while left:
            node = left.pop()
            if forest["mode"][node] == LEAF:
                leaves.append(node)
            else:
                left += [int(forest["no"][node]), int(forest["yes"][node])]
        assert found.first[leaves].tolist() == list(range(len(leaves)))
        assert found.counts[root] == len(leaves)
        assert set(leaves) <= set(found.node[found.tree == tree].tolist())
    inner = found.node[forest["mode"][found.node] < LEAF]
    under = found.counts[forest["yes"][inner]]
    assert np.array_equal(found.first[forest["no"][inner]], found.first[inner] + under)


def test_nodes_that_are_reached_twice_have_no_number() -> None:
    forest = tables(2, 3)
    forest["root"][1] = forest["root"][0]
    assert numbered(forest) is None
    forest["root"] = forest["root"][:0]
    assert numbered(forest) is None
