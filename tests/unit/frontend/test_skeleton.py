"""A skeleton shows the graph and leaves large tensors out, in bodies too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sardonyx.frontend.skeleton import KEPT_BYTES, skeleton


def test_large_tensors_are_declared_elsewhere(tmp_path: Path) -> None:
    small, large = np.float32([1, 2]), np.zeros(KEPT_BYTES, np.float32)
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(large))],
        "b", [], [helper.make_tensor_value_info("k", 1, None)], [numpy_helper.from_array(large, "w")],
    )  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    graph = helper.make_graph(
        [node], "g", [], [], [numpy_helper.from_array(small, "s"), numpy_helper.from_array(large, "l")]
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path)
    content = skeleton(path)
    assert len(content) < 2 * KEPT_BYTES
    model = onnx.load_from_string(content)
    kept, left = model.graph.initializer
    assert numpy_helper.to_array(kept).tolist() == [1, 2]
    assert (left.name, list(left.dims), left.data_location) == ("l", [KEPT_BYTES], onnx.TensorProto.EXTERNAL)
    inner = model.graph.node[0].attribute[0].g
    assert not inner.initializer[0].raw_data
    assert list(inner.node[0].attribute[0].t.dims) == [KEPT_BYTES]
