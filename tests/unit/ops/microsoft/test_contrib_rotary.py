"""Rotary embeddings of com.microsoft beside onnxruntime, sizes known and free."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import sardonyx
from tests.unit.ops.peer import Array, assert_agree, both

RNG = np.random.default_rng(0)
B, S, H, D = 2, 5, 4, 16


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("part", [1, 2])
def test_three_positions(layout: int, interleaved: int, part: int) -> None:
    width = D // (2 * part)
    positions = RNG.integers(0, 32, (3, B, S))
    feeds = {"x": real(B, H, S, D), "p": positions, "c": real(32, width), "s": real(32, width)}
    attributes = {"mrope_layout": layout, "interleaved": interleaved}
    attributes |= {"mrope_section": [width - 2, 1, 1]}  # type: ignore[dict-item]
    if part == 2:
        attributes |= {"num_heads": H, "rotary_embedding_dim": D // 2}
    assert_agree(*both("MRotaryEmbedding", "com.microsoft", feeds, attributes))


def test_the_cache_tells_how_wide_a_head_is() -> None:
    feeds = {"x": real(B, S, H * D), "p": np.array([3]), "c": real(32, D // 2), "s": real(32, D // 2)}
    (expected,) = both("RotaryEmbedding", "com.microsoft", feeds)[1]
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), [f"{name}{a}" for a in range(array.ndim)]
        )
        for name, array in feeds.items()
    ]
    node = helper.make_node("RotaryEmbedding", list(feeds), ["y"], domain="com.microsoft")
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("y")])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    session = sardonyx.InferenceSession(helper.make_model(graph, opset_imports=imports).SerializeToString())
    assert_agree(session.run(None, feeds), [expected])
    assert not session.report.fallbacks
