"""Of several constants of one name the last counts, and it is told."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sardonyx.frontend.constants import initialisers, last_of_each


def tensor(name: str, number: float) -> onnx.TensorProto:
    return numpy_helper.from_array(np.float32([number]), name)


def node(name: str, number: float) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=tensor("", number))


def graph(*nodes: onnx.NodeProto, initializer: tuple[onnx.TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(nodes, "g", [], [], initializer)


def test_names_of_their_own_are_no_news() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = initialisers(graph(node("b", 1), initializer=(tensor("a", 1),)))
        nodes = [node("a", 1), node("b", 2)]
        assert last_of_each(nodes) is nodes
    assert list(found) == ["a"]


def test_later_ones_replace_earlier_ones() -> None:
    with pytest.warns(UserWarning, match="named a; the last one counts"):
        found = initialisers(graph(initializer=(tensor("a", 1), tensor("a", 2))))
    assert numpy_helper.to_array(found["a"]).tolist() == [2]  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="named a"):
        assert not initialisers(graph(node("a", 3), initializer=(tensor("a", 1),)))
    use = helper.make_node("Exp", ["a"], ["y"])
    nodes = [node("a", 1), use, node("a", 2)]
    with pytest.warns(UserWarning, match="named a"):
        assert list(last_of_each(nodes)) == nodes[1:]
