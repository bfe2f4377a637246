"""Forests as columns: children and leaves are found however they are numbered, or it is said what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import const
from sardonyx.ops.ml.forest import EQUAL, MEMBER, Forest, Nodes, entries_of, grown, plain, with_leaves
from sardonyx.ops.table import Texts
from tests.unit.ops.formulas import Array, computed

LEQ, LEAF = "BRANCH_LEQ", "LEAF"
WEIGHTS = np.float32([10, 20, 30])


def nodes(numbers: Sequence[int] = (0, 1, 2, 3, 4), tree: int = 0, **changed: Any) -> Nodes:
    """x0 <= 1 ? 10 : (x1 <= 2 ? 20 : 30), its nodes numbered as given."""
    _, low, right, middle, high = numbers
    columns: dict[str, Any] = {
        "tree": [tree] * 5,
        "node": list(numbers),
        "feature": [0, 0, 1, 0, 0],
        "mode": [LEQ, LEAF, LEQ, LEAF, LEAF],
        "threshold": np.float32([1, 0, 2, 0, 0]),
        "missing": [],
        "yes": [low, 0, middle, 0, 0],
        "no": [right, 0, high, 0, 0],
        **changed,
    }
    return Nodes.of(**columns)


def leaves(numbers: Sequence[int] = (1, 3, 4), tree: int = 0) -> tuple[Array, Array, Array]:
    return entries_of([tree] * 3, list(numbers), [0, 0, 0], WEIGHTS)


def answers(forest: Forest, x: Any, targets: int = 1) -> list[Any]:
    total, _ = computed(*forest.totals(const(np.float32(x)), targets, "sum"))
    found: list[Any] = total.tolist()
    return found


X, Y = [[0, 0], [2, 2], [2, 3], [np.nan, 0]], [[10], [20], [30], [20]]


@pytest.mark.parametrize(
    "numbers",
    [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (7, 5, 9, 100, 3), (0, 10**9, 2, 5, 10**12), (-3, 0, 4, 2, 9)],
    ids=["counted", "backward", "mixed", "far apart", "negative"],
)
def test_nodes_may_have_any_numbers(numbers: tuple[int, ...]) -> None:
    _, low, _, middle, high = numbers
    forest = grown(nodes(numbers), leaves((low, middle, high)), WEIGHTS, 1)
    assert answers(forest, X) == Y


def test_one_row_is_a_batch_of_one() -> None:
    assert answers(grown(nodes(), leaves(), WEIGHTS, 1), [2, 2]) == [[20]]


def test_leaves_may_come_in_any_order() -> None:
    entries = entries_of([0, 0, 0], [4, 1, 3], [0, 0, 0], WEIGHTS)
    assert answers(grown(nodes(), entries, np.float32([30, 10, 20]), 1), X) == Y


def test_trees_are_added_up() -> None:
    both = {
        name: np.concatenate([getattr(nodes(), name), getattr(nodes(tree=9), name)])
        for name in ("tree", "node", "feature", "mode", "threshold", "missing", "yes", "no")
    }
    entries = entries_of([0] * 3 + [9] * 3, [1, 3, 4] * 2, [0] * 6, np.zeros(6))
    forest = grown(Nodes(**both), entries, np.float32([*WEIGHTS, 1, 2, 3]), 1)
    assert forest.roots.tolist() == [0, 5]
    assert answers(forest, X) == [[11], [22], [33], [22]]


def test_what_is_missing_follows_if_it_is_told_to() -> None:
    forest = grown(nodes(missing=[1, 1, 0, 0, 0]), leaves(), WEIGHTS, 1)
    assert answers(forest, [[np.nan, 0]]) == [[10]]


def test_a_leaf_may_name_several_targets_and_with_one_its_first_counts() -> None:
    entries = entries_of([0] * 4, [1, 1, 3, 4], [0, 1, 1, 0], np.zeros(4))
    weights = np.float32([1, 2, 3, 4])
    assert answers(grown(nodes(), entries, weights, 2), X[:3], 2) == [[1, 2], [0, 3], [4, 0]]
    same = entries_of([0] * 4, [1, 1, 3, 4], [0, 0, 0, 0], np.zeros(4))
    assert answers(grown(nodes(), same, weights, 1), X[:3]) == [[1], [3], [4]]


def test_a_leaf_without_an_entry_adds_nothing() -> None:
    entries = entries_of([0, 0], [1, 4], [0, 0], np.zeros(2))
    assert answers(grown(nodes(), entries, np.float32([10, 30]), 1), X[:3]) == [[10], [0], [30]]


@pytest.mark.parametrize("changed", [{"yes": [77, 0, 3, 0, 0]}, {"no": [2, 0, 10**9, 0, 0]}])
def test_a_lost_child_is_told(changed: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match=r"node \d of tree 0 has a child that is not in the tree"):
        grown(nodes(**changed), leaves(), WEIGHTS, 1)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"yes": [0, 0, 3, 0, 0]}, "node 0 of tree 0"),
        ({"no": [2, 0, 2, 0, 0]}, "node 2 of tree 0"),
        ({"no": [2, 0, 0, 0, 0]}, "node [02] of tree 0"),
    ],
    ids=["itself", "below another", "in a ring"],
)
def test_a_walk_that_need_not_end_is_told(changed: dict[str, Any], match: str) -> None:
    with pytest.raises(ShapeError, match=f"{match} is its own descendant"):
        grown(nodes(**changed), leaves(), WEIGHTS, 1)


def test_walks_end_whatever_the_order_of_nodes() -> None:
    """Each node comes before the one above it; the last one but the leaf above all others."""
    count = 300
    inner = [n > 0 for n in range(count)]
    columns: dict[str, Any] = {
        "tree": [0] * count,
        "node": list(range(count)),
        "feature": [0] * count,
        "mode": [LEQ if n else LEAF for n in inner],
        "threshold": np.zeros(count, np.float32),
        "missing": [],
        "yes": [max(n - 1, 0) for n in range(count)],
        "no": [max(n - 2, 0) for n in range(count)],
    }
    entries = entries_of([0], [0], [0], WEIGHTS[:1])
    assert grown(Nodes.of(**columns), entries, WEIGHTS[:1], 1).roots.tolist() == [count - 1]
    columns["no"][1] = 200
    with pytest.raises(ShapeError, match="is its own descendant"):
        grown(Nodes.of(**columns), entries, WEIGHTS[:1], 1)


@pytest.mark.parametrize(
    "changed", [{"feature": [0]}, {"mode": [LEQ]}, {"missing": [1]}, {"node": [0, 1]}, {"no": []}]
)
def test_columns_are_as_long_as_there_are_nodes(changed: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="5 nodes are named, but not every attribute has as many elements"):
        nodes(**changed)


def test_numbers_too_far_apart_are_refused() -> None:
    with pytest.raises(ShapeError, match="numbers of trees or nodes are too far apart"):
        nodes_ = nodes((0, 1, 2, 3, 2**62), tree=2**30)
        grown(nodes_, leaves(tree=2**30), WEIGHTS, 1)


def test_entries_of_leaves_are_of_one_number() -> None:
    with pytest.raises(ShapeError, match="the attributes of leaves differ in length"):
        entries_of([0, 0], [1], [0, 0], WEIGHTS[:2])


def test_modes_are_known_by_name() -> None:
    with pytest.raises(UnsupportedOp, match="the node mode 'BRANCH_MAYBE' is not supported"):
        nodes(mode=["BRANCH_MAYBE", LEAF, LEQ, LEAF, LEAF])
    texts = Texts((LEQ, LEAF), np.array([0, 1, 0, 1, 1]))
    np.testing.assert_array_equal(nodes(mode=texts).mode, nodes().mode)


def test_long_lists_are_plain_again() -> None:
    assert plain(Texts(("a", "b"), np.array([1, 0, 1]))) == ["b", "a", "b"]
    assert plain(np.array([1, 2])) == [1, 2]
    given = [3]
    assert plain(given) is given


def apart(mode: list[int], threshold: list[float], sets: list[float]) -> Forest:
    """One node above two leaves that are counted apart."""
    columns = (
        np.array([0]),
        np.array(mode),
        np.float32(threshold),
        np.array([False]),
        np.array([0]),
        np.array([1]),
    )
    entries = (np.array([0, 0]), np.float32([10, 20]))
    return with_leaves(columns, ([1], [1]), [0], entries, np.float32(sets))


def test_leaves_may_be_counted_apart() -> None:
    forest = apart([0], [1], [])
    assert answers(forest, [[0], [2]]) == [[10], [20]]
    assert forest.totals(const(np.zeros((1, 1))), 1, "sum")[0].dtype is dt.F32


@pytest.mark.parametrize(
    ("members", "inside"), [([3], {3}), ([3, 5], {3, 5}), ([1, 3, 5, 7], {1, 3, 5, 7}), ([], set())]
)
def test_a_member_of_a_set_is_asked_for_one_by_one(members: list[float], inside: set[int]) -> None:
    forest = apart([MEMBER], [0], [*members, np.nan])
    assert set(forest.mode[: max(1, len(members))]) <= {EQUAL, 6}
    x = np.arange(9).reshape(9, 1)
    assert [row[0] == 10 for row in answers(forest, x)] == [n in inside for n in range(9)]


@pytest.mark.parametrize(
    ("yes", "no", "root", "match"),
    [
        (0, 1, 0, "node 0 is its own descendant"),
        (7, 1, 0, "node 0 has a child that is not among 1 nodes and 2 leaves"),
        (-1, 1, 0, "node 0 has a child that is not among 1 nodes and 2 leaves"),
        (2, 1, 5, "tree_roots names a node that is not among 1 nodes"),
        (2, 1, -1, "tree_roots names a node that is not among 1 nodes"),
    ],
)
def test_children_and_roots_of_nodes_apart_from_leaves_are_checked(
    yes: int, no: int, root: int, match: str
) -> None:
    columns = (*(np.array([n]) for n in (0, 0)), np.float32([1]), np.array([False]))
    entries = (np.array([0, 0]), np.float32([10, 20]))
    with pytest.raises(ShapeError, match=match):
        with_leaves((*columns, np.array([yes]), np.array([no])), ([0], [0]), [root], entries, np.zeros(0))
