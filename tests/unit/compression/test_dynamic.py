"""Integer products whose activations are measured when they run."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from sardonyx.compression.dynamic import quantized
from sardonyx.compression.scope import every_graph, forget_unused_weights
from tests.unit.compression.models import drawn, error, kinds, model, picture_net, two_layers, with_bodies


def test_products_become_integer_products() -> None:
    original, made = two_layers(), two_layers()
    assert quantized(made) == ["a", "y"]
    forget_unused_weights(made.graph)
    assert kinds(made).count("MatMulInteger") == 2
    assert "Gemm" not in kinds(made)
    assert {t.data_type for t in made.graph.initializer if len(t.dims) == 2} == {onnx.TensorProto.INT8}
    assert error(made, original, {"x": drawn(7, 48, seed=9)}) < 0.02
    assert error(made, original, {"x": np.zeros((1, 48), np.float32)}) < 0.02


def test_an_activation_is_quantised_once_for_all_that_read_it() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 8] x) => (float[N, 8] y, float[N, 8] z) { y = MatMul (x, w)  z = MatMul (x, v) }"""
    made = model(text, w=drawn(8, 8), v=drawn(8, 8, seed=1))
    assert quantized(made) == ["y", "z"]
    assert kinds(made).count("DynamicQuantizeLinear") == 1


def test_a_weight_is_rounded_once_for_all_that_read_it() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 8] x) => (float[N, 8] y)
    { a = MatMul (x, w)  b = Gemm (a, w)  y = Gemm <transB = 1> (b, w) }"""
    original, made = model(text, w=drawn(8, 8)), model(text, w=drawn(8, 8))
    assert quantized(made) == ["a", "b", "y"]
    forget_unused_weights(made.graph)
    assert sum(len(tensor.dims) == 2 for tensor in made.graph.initializer) == 2
    assert error(made, original, {"x": drawn(7, 8, seed=9)}) < 0.03


def test_convolutions_if_named() -> None:
    original, made = picture_net(), picture_net()
    assert quantized(made, kinds=("Conv",)) == ["a", "s"]
    assert kinds(made).count("ConvInteger") == 2
    assert error(made, original, {"x": drawn(2, 3, 16, 16)}) < 0.05


def test_lookups_of_large_tables() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (int64[N] i) => (float[N, 32] y) { y = Gather (t, i) }"""
    large = drawn(1000, 32) * np.linspace(0.01, 5, 1000, dtype=np.float32)[:, None]
    original, made = model(text, t=large), model(text, t=large)
    assert quantized(made) == ["y"]
    assert error(made, original, {"i": np.array([0, 999, -1, 5])}) < 0.01
    assert not quantized(model(text, t=drawn(10, 32)))


def test_lstm() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[5, 2, 8] x) => (float[5, 2, 2, 16] y)
    { y = LSTM <hidden_size = 16, direction = "bidirectional"> (x, w, r, b) }"""
    shapes = {"w": (2, 64, 8), "r": (2, 64, 16), "b": (2, 128)}
    weights = {name: drawn(*shape, seed=at, scale=0.3) for at, (name, shape) in enumerate(shapes.items())}
    original, made = model(text, **weights), model(text, **weights)
    assert quantized(made) == ["y"]
    assert kinds(made) == ["DynamicQuantizeLSTM"]
    assert error(made, original, {"x": drawn(5, 2, 8, seed=5)}) < 0.05


def test_bodies_are_rewritten() -> None:
    original, made = with_bodies(), with_bodies()
    assert quantized(made) == ["p", "h"]
    assert sum(n.op_type == "MatMulInteger" for g in every_graph(made.graph) for n in g.node) == 2
    for condition in (True, False):
        assert error(made, original, {"x": drawn(4, 32, seed=3), "c": np.array(condition)}) < 0.02


@pytest.mark.parametrize("leave", [(), ("a",), ("a", "y")])
def test_named_nodes_are_left_alone(leave: tuple[str, ...]) -> None:
    assert quantized(two_layers(), leave) == [name for name in ("a", "y") if name not in leave]


def test_what_has_no_constant_weight_stays() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 8] x, float[8, 8] w) => (float[N, 8] y) { y = MatMul (x, w) }"""
    assert not quantized(model(text))
