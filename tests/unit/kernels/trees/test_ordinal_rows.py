"""Rows by ordinals have the totals of the reference, whatever forests and features are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.value import Value, many
from sardonyx.kernels.trees.call import trees_calls
from sardonyx.kernels.trees.ordinal_rows import ordinal_bytes
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_trees import TARGETS, check, grown, rows_of


def kernel_of(x: Array, forest: list[Array]) -> str:
    """The name of the kernel that this machine asks a forest by."""

    def build(*given: Value) -> Sequence[Value]:
        shape = (given[0].shape[0], 3)
        kind = dt.by_numpy(forest[-1].dtype)
        return many("trees", given, {"targets": 3, "combine": "sum"}, [(kind, shape), (dt.BOOL, shape)])

    (call,) = calls_of(trees_calls, build, [x, *forest], range(1, 10))
    return call.symbol


def goes_by_ordinals(x: Array, forest: list[Array]) -> bool:
    """Whether rows go by ordinals one by one, as the name of the kernel says."""
    return "_r_" in kernel_of(x, forest)


@TARGETS
@pytest.mark.parametrize("outputs", [0, 1, 2])
@pytest.mark.parametrize("trees", [60, 65, 700])
def test_blocks_of_trees(target: Target, trees: int, outputs: int) -> None:
    forest = grown(trees, 4, outputs=outputs)
    assert goes_by_ordinals(rows_of(1), forest)
    for rows in (1, 3):
        check(rows_of(rows), forest, target, threads=(1, 2))


@TARGETS
@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_meanings(target: Target, mode: int, missing: bool, real: Any) -> None:
    forest = grown(90, 5, modes=(mode,), missing=missing, real=real)
    assert goes_by_ordinals(rows_of(1, real=real), forest)
    check(rows_of(6, real=real), forest, target, ("sum", "min", "max")[mode % 3])


@TARGETS
@pytest.mark.parametrize("features", [1, 15, 17, 33, 64, 100])
@pytest.mark.parametrize("missing", [False, True])
def test_ordinals_in_a_table(target: Target, features: int, missing: bool) -> None:
    check(rows_of(4, features), grown(150, 4, features=features, missing=missing), target)


@TARGETS
def test_features_with_many_thresholds(target: Target) -> None:
    forest = grown(150, 5)
    inner = np.flatnonzero(forest[1] < LEAF)
    forest[2][inner] = np.random.default_rng(0).normal(size=len(inner))
    assert goes_by_ordinals(rows_of(1), forest)
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    x[0] = forest[2][inner[:5]]
    x[1, :3] = np.nan, np.inf, -np.inf
    check(x, forest, target)


def test_scratch_holds_totals() -> None:
    target = targets.detect()
    assert ordinal_bytes(10, target) - ordinal_bytes(9, target) == 9
