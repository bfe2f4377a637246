"""A node that no operator of ours knows runs through ONNX's reference, with types by ONNX's inference."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import RunError, UnsupportedOp
from sardonyx.frontend.fallback import node_of, nodes_of, reference
from sardonyx.ir.data_size import collect_data_sizes
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import placeholder

N = dims.symbol("N")
X = placeholder("x", dt.F32, (N, 2))


def test_results_are_those_of_the_reference() -> None:
    node = helper.make_node("Softplus", ["in"], ["out"], name="n")
    (y,) = reference(node, 21, [X])
    assert (y.dtype, y.shape) == (dt.F32, (N, 2))
    graph = Graph((X,), (("y", y),))
    x = np.float32([[0, 1], [2, 3]])
    np.testing.assert_allclose(run(graph, [x])[0], np.log1p(np.exp(x)), rtol=1e-6)
    assert list(nodes_of(graph)) == [node_of(y)]
    (other,) = reference(helper.make_node("Softplus", ["a"], ["b"]), 21, [X])
    assert other is y, "names are not part of it"


def test_sizes_that_data_gives() -> None:
    with collect_data_sizes() as sources:
        (y,) = reference(helper.make_node("NonZero", ["x"], ["y"]), 21, [X])
        graph = Graph((X,), (("y", y),), sources)
    assert run(graph, [np.float32([[0, 1], [2, 0]])])[0].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Nonsense", ["x"], ["y"]), "does not know it"),
        (
            helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([], "g", [], [])),
            "a subgraph cannot be run",
        ),
        (helper.make_node("Cast", ["x"], ["y"]), "does not know it|cannot be inferred"),
    ],
)
def test_what_cannot_be_run_is_said(node: object, message: str) -> None:
    with pytest.raises(UnsupportedOp, match=message):
        reference(node, 21, [X])


def test_a_failure_names_the_reference() -> None:
    index = placeholder("i", dt.I64, (1,))
    node = helper.make_node("Gather", ["x", "i"], ["y"])
    (y,) = reference(node, 21, [X, index])
    with pytest.raises(RunError, match="reference evaluator failed"):
        run(Graph((X, index), (("y", y),)), [np.zeros((1, 2), np.float32), np.array([9])])
