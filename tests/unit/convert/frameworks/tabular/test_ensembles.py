"""Trees as attributes, sets of categories as columns, and the outputs of a classifier, run by this engine."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular import ensembles


def run(
    graph: GraphWriter, width: int, outputs: ensembles.Tensors, rows: list[list[float]]
) -> list[np.ndarray]:
    session = sardonyx.InferenceSession(ensembles.saved(graph, "trees", width, outputs))
    return session.run(None, {"x": np.array(rows, np.float32)})


def test_a_split_with_its_leaves() -> None:
    trees = ensembles.Ensemble(width=2, outputs=2)
    trees.branch(0, 0, "BRANCH_LT", 1, 0.5, (1, 2), missing=False)
    trees.leaf(0, 1, {0: 1.0, 1: 10.0})
    trees.leaf(0, 2, {1: 20.0})
    graph = GraphWriter()
    outputs = ensembles.valued(graph, trees.sums(graph, "x", 2, [0.0, 100.0]), 2)
    (value,) = run(graph, 2, outputs, [[9, 0.4], [9, 0.5], [9, np.nan]])
    assert value.tolist() == [[1, 110], [0, 120], [0, 120]]


def test_a_set_has_one_column() -> None:
    trees = ensembles.Ensemble(width=3, outputs=1)
    assert [trees.column_of(0, (1, 2)), trees.column_of(1, (1, 2)), trees.column_of(0, (1, 2))] == [3, 4, 3]


def test_columns_of_sets_stand_by_column() -> None:
    trees = ensembles.Ensemble(width=2, outputs=1)
    for tree, (column, chosen) in enumerate([(1, (3,)), (0, (1, 2)), (1, (3, 4)), (0, (2,)), (1, (3,))]):
        trees.branch(tree, 0, "BRANCH_LEQ", trees.column_of(column, chosen), 0.5, (1, 2), missing=False)
        trees.leaf(tree, 1, {0: 0.0})
        trees.leaf(tree, 2, {0: 10.0**tree})
    graph = GraphWriter()

    def columns(column: int, sets: list[tuple[int, ...]]) -> str:
        value = graph.node("Gather", ["x", graph.unnamed(np.array([column]))], axis=1)
        return ensembles.members(graph, value, sets)

    outputs = ensembles.valued(graph, trees.sums(graph, trees.widened(graph, "x", columns), 1), 1)
    (value,) = run(graph, 2, outputs, [[1, 3], [2, 4], [2, 3], [0, 5], [np.nan, np.inf]])
    assert value[:, 0].tolist() == [10111, 1110, 11111, 0, 0]


def test_what_is_in_a_set_is_told_by_its_whole_number() -> None:
    graph = GraphWriter()
    found = ensembles.members(graph, "x", [(7, 1), (0,), (1 << 30,), ()])
    rows = [[1], [2], [7.9], [np.nan], [-0.5], [np.inf], [-7], [float(1 << 30)], [1e30]]
    (value,) = run(graph, 1, ensembles.valued(graph, found, 4), rows)
    first, zero, large, none = value.T.tolist()
    assert first == [1, 0, 1, 0, 0, 0, 0, 0, 0]
    assert zero == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert large == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert none == [0] * 9


def test_sets_take_a_bit_a_number() -> None:
    sets = [tuple(range(at, 5000, 1 + at % 7)) for at in range(45)]
    graph = GraphWriter()
    found = ensembles.members(graph, "x", sets)
    numbers = [0, 7, 44, 45, 1234, 4999, 5000]
    outputs = ensembles.valued(graph, found, len(sets))
    (value,) = run(graph, 1, outputs, [[number] for number in numbers])
    assert value.tolist() == [[number in chosen for chosen in sets] for number in numbers]
    assert len(ensembles.saved(graph, "sets", 1, outputs)) < 5000 * (45 / 8 + 1 + 10)


@pytest.mark.parametrize("classes", [np.array(["no", "yes"]), np.array([3, 5])])
def test_labels(classes: np.ndarray) -> None:
    graph = GraphWriter()
    label, likely = run(graph, 1, ensembles.labelled(graph, "x", classes), [[0.25], [0.75]])
    assert list(label) == list(classes)
    assert likely.tolist() == [[0.75, 0.25], [0.25, 0.75]]
