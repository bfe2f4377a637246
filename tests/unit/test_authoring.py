"""What is written node by node is a model that ONNX's checker and its evaluator take."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from sardonyx.authoring import GraphWriter


def test_a_graph_is_a_model() -> None:
    graph = GraphWriter()
    slope = graph.constant("slope", np.float32(2))
    scaled = graph.node("Mul", ["x", slope], "scaled")
    moved = graph.node("Add", [scaled, graph.unnamed(np.array([1, 2], np.float32))])
    graph.node("Concat", [moved, scaled], "y", axis=1)
    model = graph.model(
        "line",
        {"x": (TensorProto.FLOAT, ["batch", 2])},
        {"y": (TensorProto.FLOAT, ["batch", None])},
        {"": 21, "ai.onnx.ml": 3},
        10,
    )
    onnx.checker.check_model(model, full_check=True)
    assert [node.name for node in model.graph.node] == ["scaled", "add1", "y"]
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 21, "ai.onnx.ml": 3}
    (y,) = ReferenceEvaluator(model).run(None, {"x": np.array([[3, 4]], np.float32)})
    np.testing.assert_array_equal(y, [[7, 10, 6, 8]])


def test_constants_keep_their_shape_and_type() -> None:
    graph = GraphWriter()
    for value in (np.float32(1), np.arange(6).reshape(2, 3).T, np.array(["a", "b"], object)):
        graph.unnamed(value)
    read = [onnx.numpy_helper.to_array(constant) for constant in graph.constants]
    assert [v.shape for v in read] == [(), (3, 2), (2,)]
    np.testing.assert_array_equal(read[1], np.arange(6).reshape(2, 3).T)
    assert [c.name for c in graph.constants] == ["constant0", "constant1", "constant2"]
