"""Operators with a state: CausalConvWithState beside the reference and onnxruntime, sizes known and free."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import sardonyx
from tests.tolerance import assert_close
from tests.unit.ops.peer import Array, assert_agree, both

RNG = np.random.default_rng(0)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("activation", ["none", "silu"])
@pytest.mark.parametrize("taps", [1, 4])
@pytest.mark.parametrize("past", [False, True])
def test_causal_conv(free: bool, activation: str, taps: int, past: bool) -> None:
    feeds = {"x": real(2, 3, 7), "w": real(3, 1, taps), "b": real(3)}
    if past:
        feeds["p"] = real(2, 3, taps - 1)
    inputs = [
        helper.make_tensor_value_info(n, 1, [f"{n}{i}" for i in range(a.ndim)] if free else a.shape)
        for n, a in feeds.items()
    ]
    node = helper.make_node("CausalConvWithState", list(feeds), ["y", "s"], activation=activation)
    results = [onnx.ValueInfoProto(name=name) for name in ("y", "s")]
    graph = helper.make_graph([node], "g", inputs, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 27)])
    session = sardonyx.InferenceSession(model.SerializeToString())
    got = session.run(None, feeds)
    assert not session.report.fallbacks
    for actual, expected in zip(got, ReferenceEvaluator(model).run(None, feeds), strict=True):
        assert_close(actual, np.asarray(expected), taps)


@pytest.mark.parametrize("attributes", [{}, {"dilation": 2, "activation": "silu"}, {"channels_last": 1}])
def test_causal_conv_of_the_peer(attributes: dict[str, Any]) -> None:
    reach = 3 * attributes.get("dilation", 1)
    feeds = {"x": real(2, 3, 7), "w": real(3, 1, 4), "b": real(3), "p": real(2, 3, reach)}
    if attributes.get("channels_last"):
        feeds |= {"x": real(2, 7, 3), "p": real(2, reach, 3)}
    assert_agree(*both("CausalConvWithState", "com.microsoft", feeds, attributes, ("y", "s")))
