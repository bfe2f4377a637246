"""Small trees as tests: which leaves a no leaves, and which forests are none of small trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.trees.bits import HEAD, TEST, bits_of
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_trees import grown

NAMES = ("feature", "mode", "threshold", "missing", "yes", "no", "root", "target", "weight")


def tables(*given: Any, outputs: int = 1, **options: Any) -> dict[str, Array]:
    return dict(zip(NAMES, grown(*given, outputs=outputs, **options), strict=True))


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_first_leaf_that_is_left_is_the_one_that_a_walk_reaches(outputs: int) -> None:
    forest = tables(5, 5, missing=True, outputs=outputs)
    bits = bits_of(forest)
    assert bits is not None
    assert (bits.heads.dtype, bits.tests.dtype) == (HEAD, TEST)
    for x in np.random.default_rng(0).integers(-2, 3, (50, 5)).astype(np.float32):
        x[x == 2] = np.nan
        for tree, head in enumerate(bits.heads):
            left = -1
            for at in range(head["first"], head["end"]):
                test = bits.tests[at]
                value = x[test["feature"]]
                yes = value <= test["threshold"] or (at >= head["plain"] and np.isnan(value))
                left &= -1 if yes else int(test["kept"])
            first = (left & -left).bit_length() - 1
            assert bits.leaves[tree, :, first].tolist() == _walked(forest, tree, x)


def _walked(forest: dict[str, Array], tree: int, x: Array) -> list[float]:
    node = forest["root"][tree]
    while forest["mode"][node] < LEAF:
        value = x[forest["feature"][node]]
        yes = value <= forest["threshold"][node] or (forest["missing"][node] and np.isnan(value))
        node = forest["yes" if yes else "no"][node]
    first, count = forest["yes"][node], forest["no"][node]
    weights: list[float] = forest["weight"][first : first + count].tolist()
    return weights


@pytest.mark.parametrize(("depth", "size"), [(0, 32), (5, 32), (9, 0)])
def test_masks_are_as_long_as_needed(depth: int, size: int) -> None:
    bits = bits_of(tables(8, depth))
    assert (bits.size if bits else 0) == size


def test_forests_that_are_walked() -> None:
    shared = tables(2, 3)
    shared["root"][1] = shared["root"][0]
    mixed = tables(9, 4, modes=(0, 3))
    several = dict(zip(NAMES, grown(9, 4), strict=True))
    double = tables(3, 3, real=np.float64)
    two = tables(3, 3)
    two["target"][0] = 1 - two["target"][0]
    apart = tables(3, 3, outputs=2)
    apart["target"][1] = apart["target"][0]
    assert [bits_of(forest) for forest in (shared, mixed, several, double, two, apart)] == [None] * 6


def test_targets_that_trees_count_for() -> None:
    bits = bits_of(tables(2, 3, outputs=2))
    assert bits is not None
    assert (bits.outputs, bits.named.tolist()) == (2, [0, 1, 2])


def test_few_rows_go_one_by_one_where_that_takes_less_time() -> None:
    bits = bits_of(tables(4, 5))
    assert bits is not None
    assert bits.least_rows(10_000.0) == 1
    assert bits.least_rows(50.0) > 1
