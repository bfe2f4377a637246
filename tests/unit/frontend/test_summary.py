"""A summary counts what is in a file, wherever it hides."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sardonyx.errors import LoadError
from sardonyx.frontend.summary import summarize


def branching() -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(3, np.int64), "c"))],
        "then",
        [],
        [helper.make_tensor_value_info("c", TensorProto.INT64, [3])],
        [numpy_helper.from_array(np.ones(5, np.int8), "unused")],
    )
    node = helper.make_node("If", ["b"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph(
        [node, helper.make_node("Custom", ["w"], ["z"], domain="org.example")],
        "g",
        [
            helper.make_tensor_value_info("b", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", 1, [4, 2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
        [weight],
    )
    model = helper.make_model(graph, producer_name="maker", producer_version="3")
    helper.set_model_props(model, {"key": "value"})
    return model


def test_subgraphs_are_counted() -> None:
    summary = summarize(branching().SerializeToString())
    assert summary.operators == {"Constant": 2, "If": 1, "org.example.Custom": 1}
    assert summary.parameters == {"int8": 10, "float": 8, "int64": 6}
    assert summary.parameter_bytes == {"int8": 10, "float": 32, "int64": 48}
    assert [info.name for info in summary.inputs] == ["b"]
    assert [(info.name, info.shape) for info in summary.outputs] == [("y", None)]
    assert (summary.producer, dict(summary.metadata.custom_metadata_map)) == ("maker 3", {"key": "value"})


def test_external_data_is_not_opened() -> None:
    model = branching()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin", length=32)
    model.graph.initializer[0].ClearField("raw_data")
    summary = summarize(model.SerializeToString())
    assert summary.external_files == ("weights.bin",)
    assert summary.parameter_bytes["float"] == 32


@pytest.mark.parametrize("data", [b"garbage", b"", b"\x08\x08"])
def test_what_is_no_model(data: bytes) -> None:
    with pytest.raises(LoadError):
        summarize(data)


def test_names_that_are_not_utf8_are_written_as_text() -> None:
    data = (
        branching()
        .SerializeToString()
        .replace(b"maker", b"m\xffker")
        .replace(b"org.example", b"org\xffexample")
    )
    summary = summarize(data)
    assert "\\xff" in summary.producer
    assert all(isinstance(name, str) for name in (*summary.operators, *summary.opsets))
