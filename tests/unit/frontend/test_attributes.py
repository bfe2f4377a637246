"""Attributes become Python values, references to arguments are filled in, nodes fit their operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError
from sardonyx.frontend.attributes import Reader, check, resolved, type_proto
from sardonyx.frontend.tensors import TensorReader
from sardonyx.ir.value import make, placeholder
from sardonyx.ops import register_all
from sardonyx.ops.table import Node, operators

register_all()
READER = Reader(TensorReader((Path(),)), lambda graph: f"body {graph.name}")
GRAPH = helper.make_graph([], "g", [], [])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (5, 5),
        (0.5, 0.5),
        ("text", "text"),
        ([1, 2], (1, 2)),
        ([0.5, 1.0], (0.5, 1.0)),
        (["a", "b"], ("a", "b")),
        (GRAPH, "body g"),
        (helper.make_tensor_type_proto(1, [2]), "tensor(float)"),
    ],
)
def test_values(given: Any, expected: Any) -> None:
    assert READER.value(helper.make_attribute("a", given)) == expected
    old = helper.make_attribute("a", given)
    old.type = onnx.AttributeProto.UNDEFINED
    if not isinstance(given, onnx.TypeProto):
        assert READER.value(old) == expected, "old files name no type"


def test_tensors_and_nothing() -> None:
    array = np.float32([1, 2])
    assert READER.value(helper.make_attribute("a", numpy_helper.from_array(array))).tolist() == [1, 2]
    with pytest.raises(LoadError, match="unknown type"):
        READER.value(onnx.AttributeProto(name="a"))
    twice = [helper.make_attribute("a", 1), helper.make_attribute("a", 2)]
    with pytest.raises(LoadError, match="given twice"):
        READER.decode(twice)
    assert READER.decode([helper.make_attribute("consumed_inputs", [0])]) == {}


def test_arguments_of_a_call_stand_in_for_references() -> None:
    node = helper.make_node("Concat", ["a"], ["b"], axis=1)
    node.attribute.add(name="other", ref_attr_name="given", type=onnx.AttributeProto.INT)
    node.attribute.add(name="absent", ref_attr_name="missing", type=onnx.AttributeProto.INT)
    plain = resolved(node, {"given": helper.make_attribute("given", 7)})
    assert READER.decode(plain.attribute) == {"axis": 1, "other": 7}


X = placeholder("x", dt.F32, (2,))


def test_the_types_of_values() -> None:
    assert type_proto(None).WhichOneof("value") is None
    tensor = type_proto(placeholder("x", dt.I64, (3,))).tensor_type
    assert (tensor.elem_type, tensor.shape.dim[0].dim_value) == (7, 3)
    unknown = make("sequence", (X,), {}, dt.OBJECT, ())
    assert type_proto(unknown).WhichOneof("value") is None


def operator(name: str) -> Any:
    return max((o for o in operators() if (o.domain, o.name) == ("", name)), key=lambda o: o.since)


@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "message"),
    [
        ("Concat", [X, X], {"axis": 0}, ""),
        ("Clip", [X, None, X], {}, ""),
        ("Concat", [X, None, X], {"axis": 0}, "its input 1 is missing"),
        ("Concat", [], {"axis": 0}, "it needs at least one input"),
        ("Concat", [X], {}, "lacks the attribute axis"),
        ("Concat", [X], {"axis": 0.5}, "its attribute axis is 0.5, of another type than int"),
        ("Concat", [X], {"axis": 0, "wrong": 1}, "no attribute wrong"),
        ("Exp", [X, X], {}, "it has 2 inputs, at most 1"),
        ("Add", [X], {}, "it needs 2 inputs"),
        ("Add", [None, X], {}, "it needs 2 inputs"),
        ("Transpose", [X], {"perm": (0,)}, ""),
        ("Transpose", [X], {"perm": (0.5,)}, "its attribute perm"),
        ("Constant", [], {"value": np.zeros(2)}, ""),
        ("Constant", [], {"value": (1, 2)}, r"its attribute value is \(1, 2\), of another type than Array"),
        ("Constant", [], {"value": object()}, "its attribute value is a graph"),
        ("Constant", [], {"value_ints": (0.5,)}, "its attribute value_ints"),
        ("Constant", [], {"value_floats": ("a",)}, "its attribute value_floats"),
        ("Constant", [], {"value_strings": (1,)}, "its attribute value_strings"),
        (
            "If",
            [X],
            {"then_branch": np.zeros(2), "else_branch": object()},
            "its attribute then_branch is a tensor",
        ),
    ],
)
def test_nodes_fit_their_operator(name: str, inputs: Any, attributes: Any, message: str) -> None:
    node = Node(name, "n", 21, ("y",), attributes)
    if not message:
        check(operator(name), node, inputs)
        return
    with pytest.raises(LoadError, match=message):
        check(operator(name), node, inputs)
