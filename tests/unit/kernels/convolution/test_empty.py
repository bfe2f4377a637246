"""Convolutions that have no pixels to compute, in a body, whose sizes are not looked at before it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import sardonyx

KINDS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "direct": ((40, 24, 3, 3), {"strides": [1, 2]}),
    "pointwise": ((40, 24, 1, 1), {"pads": [0, 0, 0, -1], "strides": [1, 2]}),
    "transformed": ((40, 24, 3, 3), {}),
    "depthwise": ((24, 1, 3, 3), {"group": 24}),
    "grouped": ((32, 8, 3, 3), {"group": 4}),
    "first": ((40, 3, 3, 3), {"strides": [1, 2]}),
}
COMMON = {"pads": [1, 1, 1, -1], "strides": [1, 1], "group": 1}


def model(weights: tuple[int, ...], attrs: dict[str, Any]) -> bytes:
    def branch() -> onnx.GraphProto:
        node = helper.make_node("Conv", ["x", "w"], ["p"], **attrs)
        return helper.make_graph([node], "b", [], [helper.make_tensor_value_info("p", 1, None)])

    channels = weights[1] * attrs["group"]
    inputs = [helper.make_tensor_value_info("x", 1, ["N", channels, "H", "W"])]
    inputs += [helper.make_tensor_value_info("c", 9, [])]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch(), else_branch=branch())
    constants = [numpy_helper.from_array(np.ones(weights, np.float32), "w")]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph([node], "g", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString()  # type: ignore[no-any-return]


@pytest.mark.parametrize("precision", ["strict", "fp32"])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_without_pixels(kind: str, precision: str) -> None:
    weights, changed = KINDS[kind]
    attrs: dict[str, Any] = {**COMMON, **changed}
    channels, (top, left, bottom, right) = weights[1] * attrs["group"], attrs["pads"]
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.precision", precision)
    made = sardonyx.InferenceSession(model(weights, attrs), options)
    too_short = weights[3] - left - right - 1
    for samples, height, width in ((17, 15, too_short), (0, 5, 9), (2, 3, 9)):
        x = np.ones((samples, channels, height, width), np.float32)
        (y,) = made.run(None, {"x": x, "c": np.array(True)})
        lines = height + top + bottom - weights[2] + 1
        pixels = (width + left + right - weights[3]) // attrs["strides"][1] + 1
        assert y.shape == (samples, weights[0], lines, pixels)
        assert (pixels == 0) == (width == too_short)
