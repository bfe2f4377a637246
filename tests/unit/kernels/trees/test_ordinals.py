"""Trees by ordinals: searches and steps alone end at the leaf of a walk; some forests are not asked so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.trees.ordinals import MOST_LEAVES, ORDINALS, SEARCHED, Ordinals, ordinals_of
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_bits import tables
from tests.unit.kernels.trees.test_clusters import walked

V3, V4 = sorted(isa.TARGETS, key=lambda target: target.name)
WIDE = isa.with_features(V4, ["avx512vbmi"])
_PASSES = (np.greater, np.greater_equal, np.less, np.less_equal)


def ordinals_of_row(ordinals: Ordinals, x: Array) -> Array:
    """The ordinals of a row, by the two comparisons that the kernel makes."""
    passes, found = _PASSES[ordinals.modes[0]], []
    for asked, pivots, limits in zip(ordinals.asked, ordinals.pivots, ordinals.limits, strict=True):
        runs = np.count_nonzero(passes(x[asked], pivots))
        run = limits[runs * SEARCHED : (runs + 1) * SEARCHED]
        assert len(run) == SEARCHED
        found.append(runs * SEARCHED + np.count_nonzero(passes(x[asked], run)))
    missing = np.isnan(x[ordinals.asked])
    first = np.where(missing, 255, found)
    return np.concatenate([first, found]) if ordinals.missing else first


def reached(ordinals: Ordinals, x: Array) -> Array:
    """The leaf, as a node, in each tree, by the steps that the kernel takes."""
    row, at, leaves = ordinals_of_row(ordinals, x), 0, []
    for slots in ordinals.slots:
        walks = np.zeros((ordinals.abreast, ordinals.steps.shape[3]), np.int64)
        for number in range(slots):
            place, least, first = ordinals.steps[at + number].transpose(1, 0, 2)
            walks[(row[place] >= least) & (walks >= first)] = number + 1
        at += slots
        leaves.append(walks.ravel())
    return ordinals.leaves[np.concatenate(leaves)[: len(ordinals.bases)] + ordinals.bases]


def reached_by_nodes(ordinals: Ordinals, x: Array) -> Array:
    """The same by the nodes of one tree after the other, as blocks of rows ask them."""
    row, leaves = ordinals_of_row(ordinals, x), []
    for tree, low in enumerate(ordinals.begins[:-1]):
        walk = 0
        for number, at in enumerate(range(low, ordinals.begins[tree + 1])):
            place, least, first = ordinals.nodes[at]
            walk = number + 1 if row[place] >= least and walk >= first else walk
        leaves.append(low + tree + walk)
    return ordinals.leaves[leaves]


def checked(forest: dict[str, Array], rows: Array) -> Ordinals:
    ordinals = ordinals_of(forest, WIDE)
    assert ordinals is not None
    for x in rows:
        expected = [walked(forest, int(root), x) for root in forest["root"]]
        assert reached(ordinals, x).tolist() == expected
        assert reached_by_nodes(ordinals, x).tolist() == expected
    return ordinals


def rows_of(features: int, low: int = -3, high: int = 4) -> Array:
    """Features that often equal a threshold, and some that are not finite."""
    rng = np.random.default_rng(features)
    x = rng.integers(low, high, (20, features)).astype(np.float32)
    special = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    return np.where(rng.random(x.shape) < 0.2, rng.choice(special, x.shape), x)


def chain(leaves: int, on: str = "yes") -> dict[str, Array]:
    """One tree of as many nodes as it is deep, each of which asks for the next feature of three."""
    forest = tables(1, 0)
    inner, nodes = leaves - 1, 2 * leaves - 1
    own = np.arange(nodes)
    forest["mode"] = np.where(own < inner, 0, LEAF).astype(np.uint8)
    forest["feature"] = (own % 3).astype(np.int32)
    forest["threshold"] = np.where(own < inner, -own % 5, 0).astype(np.float32)
    forest["missing"] = own % 2 == 1
    other = "no" if on == "yes" else "yes"
    forest[on] = np.where(own < inner, own + 1, 0).astype(np.int32)
    forest[other] = np.where(own < inner, nodes - 1 - own, 1).astype(np.int32)
    forest["root"] = np.zeros(1, np.int32)
    forest["target"], forest["weight"] = np.zeros(1, np.int32), np.ones(1, np.float32)
    return forest


@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("trees", "depth"), [(1, 1), (70, 4), (300, 3), (9, 7)])
def test_steps_end_where_walks_do(trees: int, depth: int, missing: bool, mode: int) -> None:
    ordinals = checked(tables(trees, depth, modes=(mode,), missing=missing), rows_of(5))
    assert ordinals.missing == missing or trees == 1


@pytest.mark.parametrize("on", ["yes", "no"])
@pytest.mark.parametrize("leaves", [2, 3, MOST_LEAVES])
def test_trees_as_deep_as_can_be(on: str, leaves: int) -> None:
    checked(chain(leaves, on), rows_of(3, -5, 2))
    assert ordinals_of(chain(MOST_LEAVES + 1, on), WIDE) is None


@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("count", [1, 15, 16, 17, ORDINALS - 1, ORDINALS, ORDINALS + 1, 600])
def test_features_with_many_thresholds_are_searched_more_than_once(count: int, mode: int) -> None:
    rng = np.random.default_rng(count)
    forest = tables(400, 2, features=1, modes=(mode,), missing=True)
    inner = np.flatnonzero(forest["mode"] < LEAF)
    assert len(inner) > 600
    forest["threshold"][inner] = rng.permutation(np.arange(len(inner)) % count)
    ordinals = checked(forest, rng.integers(-1, count + 1, (8, 1)).astype(np.float32))
    assert ordinals.asked.tolist() == [0] * -(-count // ORDINALS)


def test_thresholds_that_are_not_finite() -> None:
    forest = tables(40, 4)
    inner = np.flatnonzero(forest["mode"] < LEAF)
    forest["threshold"][inner] = np.tile(np.float32([np.inf, -np.inf, 0.0, -0.0, 1.0]), len(inner))[
        : len(inner)
    ]
    checked(forest, rows_of(5))
    forest["threshold"][inner[0]] = np.nan
    assert ordinals_of(forest, WIDE) is None


def test_features_that_a_table_has_room_for() -> None:
    def has_room(features: int, target: Target, **options: Any) -> bool:
        found = ordinals_of(tables(300, 3, features=features, **options), target)
        assert found is not None
        return np.isfinite(found.row_cycles(target))

    assert has_room(64, V3) and has_room(64, V4) and has_room(128, WIDE)
    assert has_room(60, WIDE, missing=True)
    assert not has_room(70, V3) and not has_room(70, V4)
    assert ordinals_of(tables(300, 3, features=140), WIDE) is None
    assert ordinals_of(tables(300, 3, features=70, missing=True), WIDE) is None


def test_forests_that_are_walked() -> None:
    shared = tables(2, 3)
    shared["root"][1] = shared["root"][0]
    mixed, equal = tables(9, 4, modes=(0, 3)), tables(9, 4, modes=(4,))
    leaves = tables(9, 0)
    assert [ordinals_of(forest, WIDE) for forest in (shared, mixed, equal, leaves)] == [None] * 4
    unreached = tables(9, 4)
    unreached["root"] = np.flatnonzero(unreached["mode"] == LEAF)[:3]
    assert ordinals_of(unreached, WIDE) is None
    assert ordinals_of(tables(9, 4), replace(WIDE, instructions=())) is None
    assert ordinals_of(tables(9, 4), replace(WIDE, l2_bytes=100)) is None


def test_more_trees_take_longer() -> None:
    few, many = (ordinals_of(tables(trees, 4), WIDE) for trees in (10, 500))
    assert few is not None and many is not None
    assert few.row_cycles(WIDE) < many.row_cycles(WIDE)
    assert (few.abreast, many.abreast) == (1, 4)
    assert few.block_row_cycles(True, 1, WIDE) < many.block_row_cycles(True, 1, WIDE)
    assert many.block_row_cycles(True, 1, WIDE) < many.block_row_cycles(False, 1, WIDE)
    assert many.most_leaves == 16
