"""Trees cut into clusters: a walk by records alone ends at the leaf of a walk by nodes."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.ir.algorithms.trees import COMPARISONS, LEAF
from sardonyx.kernels.trees.clusters import LEVELS, NODES, Clusters, Layout, cut
from tests.unit.kernels.compiled import Array
from tests.unit.kernels.trees.test_bits import tables
from tests.unit.kernels.trees.test_trees import rows_of


def walked(forest: dict[str, Array], root: int, x: Array) -> int:
    node = root
    while forest["mode"][node] < LEAF:
        value = x[forest["feature"][node]]
        yes = COMPARISONS[forest["mode"][node]](value, forest["threshold"][node])
        yes |= forest["missing"][node] and np.isnan(value)
        node = forest["yes" if yes else "no"][node]
    return node


def stepped(cut_: Clusters, tree: int, x: Array) -> int:
    """The leaf, as a node, by the steps that the kernel takes."""
    here, layout = int(cut_.roots[tree]), cut_.layout
    modes, missing = cut_.modes, cut_.missing
    while True:
        record = cut_.records[here]
        place = 0
        for _ in range(LEVELS):
            value, limit = x[record["features"][place]], record["threshold"][place]
            asked = [record["masks"][n] >> place & 1 for n in range(layout.masks)]
            answers = [bool(COMPARISONS[mode](value, limit)) for mode in modes]
            if len(modes) > 1:
                answers = [a and bool(m) for a, m in zip(answers, asked, strict=False)]
            yes = any(answers) or (missing and bool(asked[-1]) and bool(np.isnan(value)))
            place = 2 * place + (1 if yes else 2)
        code = int(record["exits"][place - NODES])
        if code >= layout.leaf_bit:
            return int(cut_.leaves[(code + int(cut_.bases[tree])) % (1 << 32)])
        here = here + code if layout.exit_bytes == 2 else code


def check(forest: dict[str, Array]) -> Clusters:
    found = cut(forest)
    for x in rows_of(40):
        for tree, root in enumerate(forest["root"]):
            assert stepped(found, tree, x) == walked(forest, int(root), x)
    return found


@pytest.mark.parametrize("depth", [0, 1, 3, 4, 8])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("modes", [(0,), (0, 3, 5)])
def test_steps_end_where_walks_do(depth: int, missing: bool, modes: tuple[int, ...]) -> None:
    forest = tables(6, depth, modes=modes, missing=missing)
    layout = check(forest).layout
    assert layout.exit_bytes == 2
    assert layout.size_bytes == 64


def test_trees_that_share_nodes_name_them_by_number() -> None:
    forest = tables(5, 6)
    forest["root"][3] = forest["root"][0]
    inner = np.flatnonzero(forest["mode"] < LEAF)
    last, first = inner[-1], forest["root"][1]
    assert first < last
    forest["yes"][last] = first
    assert check(forest).layout.exit_bytes == 4


def test_nodes_that_many_walks_meet_at_are_cut_once() -> None:
    depth = 60
    forest = tables(1, 0)
    own = np.arange(depth)
    forest |= {"threshold": np.zeros(depth + 1, np.float32), "root": np.zeros(1, np.int32)}
    forest |= {"mode": np.append(np.zeros(depth, np.uint8), np.uint8(LEAF)), "feature": np.append(own % 5, 0)}
    forest["yes"], forest["no"] = (np.append(own + 1, last).astype(np.int32) for last in (0, 1))
    forest["missing"] = np.zeros(depth + 1, bool)
    assert len(check(forest).records) == depth // LEVELS


def test_what_walks_do_not_reach_is_left_out() -> None:
    forest = tables(5, 6)
    whole = cut(forest)
    forest["root"] = forest["root"][:2]
    part = check(forest)
    assert 0 < len(part.records) < len(whole.records)


@pytest.mark.parametrize(("most", "size"), [(255, 1), (256, 2), (1 << 16, 4)])
def test_features_take_as_many_bytes_as_they_need(most: int, size: int) -> None:
    forest = tables(1, 3)
    forest["feature"][forest["root"][0]] = most
    found = cut(forest)
    assert found.layout.feature_bytes == size
    assert found.records[found.roots[0]]["features"][0] == most


@pytest.mark.parametrize(
    "layout", [Layout(r, m, e, f) for r in (4, 8) for m in (0, 7) for e in (2, 4) for f in (1, 2, 4)]
)
def test_fields_do_not_overlap(layout: Layout) -> None:
    record = np.zeros(2, layout.record)
    for number, name in enumerate(record.dtype.names or ()):
        record[name] = number + 1
    for number, name in enumerate(record.dtype.names or ()):
        assert (record[name] == number + 1).all()
    assert layout.features_at % layout.feature_bytes == layout.exits_at % layout.exit_bytes == 0
    assert layout.features_at + 8 * layout.feature_bytes <= layout.size_bytes


def test_a_forest_without_trees() -> None:
    forest = tables(1, 2)
    forest["root"] = forest["root"][:0]
    found = cut(forest)
    assert (len(found.records), len(found.roots), len(found.bases)) == (0, 0, 0)
