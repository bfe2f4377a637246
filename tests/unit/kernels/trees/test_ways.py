"""Which way rows of a forest go follows from its size, and many rows go where they take less time."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.kernels.trees.call import _depths
from sardonyx.kernels.trees.ways import Ways, ways_of
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_bits import NAMES
from tests.unit.kernels.trees.test_ordinal_blocks import same_targets

V3, V4 = sorted(isa.TARGETS, key=lambda target: target.name)
WIDE = isa.with_features(V4, ["avx512vbmi"])


def way(trees: int, depth: int, target: Target = WIDE, outputs: int = 1, features: int = 5) -> Ways:
    forest: dict[str, Array] = dict(
        zip(NAMES, same_targets(trees, depth, outputs, features=features), strict=True)
    )
    return ways_of(forest, _depths(forest), dt.F32, target)


@pytest.mark.parametrize(("target", "leaves"), [(V3, 16), (V4, 32), (WIDE, 32)])
def test_a_tree_is_walked_and_many_go_by_ordinals(target: Target, leaves: int) -> None:
    one, many = way(1, 4, target), way(400, 4, target)
    assert one.clusters is not None and many.clusters is None
    assert one.block_leaves(dt.F32, target) is None
    assert many.block_leaves(dt.F32, target) == leaves
    assert many.row_cycles > one.row_cycles


def test_leaves_have_the_same_numbers_in_clusters_and_ordinals() -> None:
    found = way(400, 3, V3, features=90)
    assert found.clusters is not None and found.ordinals is not None
    assert np.array_equal(found.clusters.leaves, found.ordinals.leaves)
    assert np.array_equal(found.leaves, found.ordinals.leaves)


def test_leaves_stay_in_registers_where_they_are_few_and_single() -> None:
    assert way(300, 5).block_leaves(dt.F32, WIDE) == 32
    assert way(300, 6).block_leaves(dt.F32, WIDE) == 64
    assert way(300, 7).block_leaves(dt.F32, WIDE) == 0
    assert way(300, 5).block_leaves(dt.F64, WIDE) is None, "bits take less time"
    assert way(300, 8).block_leaves(dt.F64, WIDE) == way(300, 8, outputs=2).block_leaves(dt.F32, WIDE) == 0
    assert way(300, 5, outputs=3).width == 4
