"""Blocks of rows by ordinals have the totals of the reference, and those of the same rows one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.kernels.trees.ordinal_blocks import block_bytes, rows_of_block
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_ordinal_rows import kernel_of
from tests.unit.kernels.trees.test_trees import TARGETS, check, grown, rows_of
from tests.unit.kernels.trees.test_walks import totals


def same_targets(trees: int, depth: int, outputs: int, **options: Any) -> list[Array]:
    """Trees all leaves of which have an entry for each of the first targets."""
    forest = grown(trees, depth, outputs=outputs, **options)
    first = forest[4][forest[1] == LEAF]
    forest[7][first[:, None] + np.arange(outputs)] = np.arange(outputs)
    return forest


def goes_in_blocks(forest: list[Array], real: Any = np.float32) -> bool:
    """Whether this machine asks a forest so, as the name of its kernel says."""
    return "_b" in kernel_of(rows_of(1, real=real), forest)


@TARGETS
@pytest.mark.parametrize(("depth", "outputs"), [(5, 1), (6, 1), (8, 1), (8, 2), (8, 3)])
@pytest.mark.parametrize("combine", ["sum", "min", "max"])
def test_blocks(target: Target, depth: int, outputs: int, combine: str) -> None:
    forest = same_targets(300, depth, outputs)
    assert goes_in_blocks(forest)
    check(rows_of(rows_of_block(target) + 3), forest, target, combine)


@TARGETS
@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_meanings(target: Target, mode: int, missing: bool, real: Any) -> None:
    forest = same_targets(300, 7, 1, modes=(mode,), missing=missing, real=real)
    assert goes_in_blocks(forest, real)
    check(rows_of(rows_of_block(target), real=real), forest, target)


@TARGETS
@pytest.mark.parametrize("threads", [(1,), (2,), (3, 5)])
def test_rows_that_fill_no_block(target: Target, threads: Sequence[int]) -> None:
    forest, rows = same_targets(200, 6, 1), rows_of_block(target)
    assert goes_in_blocks(forest)
    for more in (-1, rows // 2, rows - 1, 2 * rows + 7):
        check(rows_of(rows + more), forest, target, threads=threads)


@TARGETS
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_row_has_the_same_bits_whatever_is_beside_it(target: Target, outputs: int) -> None:
    forest = same_targets(200, 8, outputs)
    x = rows_of(rows_of_block(target))
    alone = np.concatenate([totals(row[None], forest, target) for row in x[-5:]])
    assert np.array_equal(totals(x, forest, target)[-5:], alone)


def test_scratch_holds_totals() -> None:
    target = targets.detect()
    assert block_bytes(2, target) - block_bytes(1, target) == 8 * rows_of_block(target)
