"""Native ensembles of decision trees against their meaning in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.errors import RunError, ShapeError
from sardonyx.ir.algorithms.trees import LEAF
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, many
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import Array, graph_of, natives
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
CONSTANT = tuple(range(1, 10))
MIXED = (0, 1, 2, 3, 4, 5)


def combined(modes: Sequence[Any], often: Any) -> list[Any]:
    """Every way to combine with every mode; how nodes ask does not go by it, so one mode stands for all."""
    return [
        pytest.param(combine, mode, marks=pytest.mark.slow if combine != "sum" and mode != often else ())
        for combine in ("sum", "min", "max")
        for mode in modes
    ]


def grown(
    trees: int,
    depth: int,
    *,
    features: int = 5,
    targets: int = 3,
    modes: Sequence[int] = (0,),
    missing: bool = False,
    real: Any = np.float32,
    outputs: int = 0,
) -> list[Array]:
    """The node and entry arrays of random trees of at most that depth.

    `outputs`: if any, each leaf has so many entries, for the same targets throughout a tree.
    """
    rng = np.random.default_rng(trees * 100 + depth)
    nodes: list[list[float]] = []
    entries: list[tuple[int, float]] = []
    roots: list[int] = []

    def grow(left: int) -> int:
        number = len(nodes)
        nodes.append([])
        if left == 0 or (left < depth and rng.random() < 0.3):
            count = outputs or int(rng.integers(0, targets + 1))
            nodes[number] = [0, LEAF, 0, 0, len(entries), count]
            first = len(roots) % 2
            named = range(first, first + count) if outputs else rng.integers(targets, size=count)
            entries.extend((int(target), float(rng.standard_normal())) for target in named)
            return number
        yes, no = grow(left - 1), grow(left - 1)
        ask = missing and bool(rng.random() < 0.5)
        asked, limit = float(rng.integers(features)), float(rng.integers(-2, 3))
        nodes[number] = [asked, rng.choice(modes), limit, ask, yes, no]
        return number

    for _ in range(trees):
        roots += [grow(depth)]
    table = np.array(nodes, np.float64)
    kinds = [np.int32, np.uint8, real, np.bool_, np.int32, np.int32]
    columns = [table[:, n].astype(kind) for n, kind in enumerate(kinds)]
    named = np.array([t for t, _ in entries], np.int32)
    return [*columns, np.array(roots, np.int32), named, np.array([w for _, w in entries], real)]


def rows_of(count: int, features: int = 5, real: Any = np.float32) -> Array:
    """Features that often equal a threshold, some of them NaN."""
    rng = np.random.default_rng(count)
    x = rng.integers(-2, 3, (count, features)).astype(real)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def check(
    x: Array, forest: list[Array], target: Target, combine: str = "sum", threads: Sequence[int] = (1,)
) -> None:
    """The native totals are those of the reference."""
    kind = dt.by_numpy(forest[-1].dtype)

    def build(*values: Value) -> tuple[Value, ...]:
        shape = (values[0].shape[0], 3)
        return many("trees", values, {"targets": 3, "combine": combine}, [(kind, shape), (dt.BOOL, shape)])

    graph = graph_of(build, [x, *forest], CONSTANT)
    results = list(natives(graph, target, [guarded(x)], threads))
    expected, named = run(graph, [x])
    for total, touched in results:
        assert_close(total, expected, 4)
        assert np.array_equal(touched, named)


@TARGETS
@pytest.mark.parametrize("rows", [0, 1, 3, 8, 21, 300])
@pytest.mark.parametrize(("trees", "depth"), [(1, 0), (1, 4), (7, 3), (20, 6)])
def test_shapes(target: Target, rows: int, trees: int, depth: int) -> None:
    check(rows_of(rows), grown(trees, depth), target, threads=(1, 2))


@TARGETS
@pytest.mark.parametrize(("combine", "modes"), combined([(0,), (1,), (2, 3), MIXED], MIXED))
@pytest.mark.parametrize("missing", [False, True])
def test_meanings(target: Target, combine: str, missing: bool, modes: tuple[int, ...]) -> None:
    for real in (np.float32, np.float64):
        forest = grown(9, 4, modes=modes, missing=missing, real=real)
        check(rows_of(13, real=real), forest, target, combine)


@TARGETS
def test_features_that_are_missing(target: Target) -> None:
    with pytest.raises(RunError, match="out of range"):
        check(rows_of(4, features=2), grown(5, 5), target)


@TARGETS
def test_walks_must_end(target: Target) -> None:
    forest = grown(1, 2)
    forest[4][0] = 0
    with pytest.raises(ShapeError, match="form a cycle"):
        check(rows_of(4), forest, target)
    forest[4][0] = 1000
    with pytest.raises(ShapeError, match="do not exist"):
        check(rows_of(4), forest, target)


@TARGETS
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 16, 17, 32, 45])
@pytest.mark.parametrize("depth", [0, 1, 5, 6, 8])
@pytest.mark.parametrize("outputs", [1, 2])
def test_small_trees_of_the_same_targets(target: Target, rows: int, depth: int, outputs: int) -> None:
    forest = grown(6, depth, outputs=outputs)
    check(rows_of(rows), forest, target, threads=(1, 2))


@TARGETS
@pytest.mark.parametrize(("combine", "mode"), combined(range(6), 1))
@pytest.mark.parametrize("missing", [False, True])
def test_meanings_of_small_trees(target: Target, combine: str, missing: bool, mode: int) -> None:
    for outputs in (1, 2):
        forest = grown(9, 5, modes=(mode,), missing=missing, outputs=outputs)
        check(rows_of(40), forest, target, combine)


@TARGETS
def test_features_that_small_trees_miss(target: Target) -> None:
    with pytest.raises(RunError, match="out of range"):
        check(rows_of(40, features=2), grown(5, 5, outputs=1), target)


@TARGETS
@pytest.mark.parametrize("features", [60, 300])
def test_rows_that_are_too_wide_for_one_block(target: Target, features: int) -> None:
    check(rows_of(333, features), grown(7, 5, features=features), target, threads=(1, 2))


@TARGETS
@pytest.mark.parametrize("features", [9, 20, 40, 64, 65, 300, 70_000])
@pytest.mark.parametrize("rows", [1, 3, 50])
def test_features_in_registers_and_not(target: Target, rows: int, features: int) -> None:
    rng = np.random.default_rng(features)
    for real in (np.float32, np.float64) if features < 100 else (np.float32,):
        forest = grown(7, 7, features=features, real=real)
        x = rng.integers(-2, 3, (rows, features)).astype(real)
        x[rng.random(x.shape) < 0.1] = np.nan
        check(x, forest, target, threads=(1, 2))


@TARGETS
@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("outputs", [0, 1, 2])
def test_more_trees_than_a_row_walks_through_at_a_time(target: Target, rows: int, outputs: int) -> None:
    forest = grown(1200, 3, outputs=outputs)
    check(rows_of(rows), forest, target)
    forest[0][:] += 70
    check(rows_of(rows, 80), forest, target)


@TARGETS
@pytest.mark.parametrize("rows", [1, 60])
@pytest.mark.parametrize("combine", ["sum", "min", "max"])
def test_large_trees_of_the_same_targets(target: Target, rows: int, combine: str) -> None:
    for outputs in (1, 2, 3):
        forest = grown(8, 9, outputs=outputs)
        first, counts = forest[4][forest[1] == LEAF], forest[5][forest[1] == LEAF]
        forest[7][first[:, None] + np.arange(outputs)] = np.arange(outputs)
        assert (counts == outputs).all()
        check(rows_of(rows), forest, target, combine)


@TARGETS
@pytest.mark.parametrize("rows", [1, 5, 60])
def test_trees_that_share_nodes(target: Target, rows: int) -> None:
    forest = grown(5, 6)
    inner = np.flatnonzero(forest[1] < LEAF)
    forest[4][inner[-1]] = forest[6][1]
    forest[6][3] = forest[6][0]
    check(rows_of(rows), forest, target, threads=(1, 2))
