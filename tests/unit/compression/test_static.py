"""Pairs behind activations and before products."""

from __future__ import annotations

import numpy as np
import onnx

from sardonyx.compression.calibration import ranges
from sardonyx.compression.precision import types_of
from sardonyx.compression.scope import forget_unused_weights
from sardonyx.compression.static import SCALED, activations, quantized
from tests.unit.compression.models import drawn, error, kinds, model, picture_net, two_layers, with_bodies

X = {"x": drawn(4, 3, 16, 16)}


def _floats(made: object) -> set[str]:
    return {name for name, element in types_of(made).items() if element == 1}


def test_the_tensors_that_need_ranges() -> None:
    made = picture_net()
    assert activations(made, _floats(made)) == ["x", "r", "p", "s", "t", "g", "f"]
    assert activations(made, _floats(made), leave=("a", "s"), kinds=("Conv",)) == []


def test_a_pair_stands_behind_every_activation_and_the_output_is_float() -> None:
    original, made = picture_net(), picture_net()
    seen = ranges(made, activations(made, _floats(made)), [X])
    assert quantized(made, seen) == ["a", "s", "t", "g", "y"]
    forget_unused_weights(made.graph)
    readers = {name: node.op_type for node in made.graph.node for name in node.input}
    assert readers["a"] == "Relu"
    assert readers["r"] == "QuantizeLinear"
    assert kinds(made)[-1] == "Gemm"
    assert error(made, original, X) < 0.05


def test_an_output_that_a_product_reads_stays_float_and_is_read_as_points() -> None:
    original, made = picture_net(), picture_net()
    for changed in (original, made):
        changed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in ("f", "p"))
        changed.CopyFrom(onnx.shape_inference.infer_shapes(changed))
    names = activations(made, _floats(made))
    assert names == ["x", "r", "p", "s", "t", "g", "f"]
    quantized(made, ranges(made, names, [X]))
    writers = {name: node for node in made.graph.node for name in node.output}
    assert writers["f"].op_type == "Flatten"
    assert writers[writers["y"].input[0]].op_type == "DequantizeLinear"
    assert error(made, original, X) < 0.05


def test_what_only_moves_numbers_keeps_their_points() -> None:
    made = picture_net()
    quantized(made, ranges(made, activations(made, _floats(made)), [X]))
    held = {node.input[0]: node.input[1] for node in made.graph.node if node.op_type == "QuantizeLinear"}
    assert held["p"] == held["r"]


def test_the_bias_has_the_unit_of_the_sums() -> None:
    made = picture_net()
    quantized(made, ranges(made, activations(made, _floats(made)), [X]))
    weights = {tensor.name: tensor for tensor in made.graph.initializer}
    assert weights["b_points"].data_type == 6
    assert list(weights["w_scale"].dims) == [16]


def test_one_scale_for_a_weight_if_asked() -> None:
    original, made = picture_net(), picture_net()
    quantized(made, ranges(made, activations(made, _floats(made)), [X]), per_channel=False, bits=7)
    assert all(list(t.dims) == [] for t in made.graph.initializer if t.name == "w_scale")
    assert error(made, original, X) < 0.1


def test_nodes_left_alone_read_floats() -> None:
    made = two_layers()
    names = activations(made, _floats(made))
    assert names == ["x", "a", "c", "h"] or names == ["x", "a", "h"]
    assert quantized(made, {"x": (-3, 3)}, leave=("y", "b")) == ["a"]
    assert kinds(made).count("QuantizeLinear") == 1
    assert next(node for node in made.graph.node if node.op_type == "Gemm").input[0] == "h"


def test_bodies_are_left_alone() -> None:
    made = with_bodies()
    assert activations(made, _floats(made)) == []
    assert quantized(made, {}) == []


def test_products_of_two_activations_if_named() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 8] x) => (float[N, 8] y) { a = Sigmoid (x)  m = Mul (x, a)  y = MatMul (m, w) }"""
    original, made = model(text, w=drawn(8, 8)), model(text, w=drawn(8, 8))
    chosen, feeds = ("MatMul", *SCALED), {"x": drawn(16, 8, seed=4)}
    seen = ranges(made, activations(made, _floats(made), kinds=chosen), [feeds])
    assert quantized(made, seen, kinds=chosen) == ["m", "y"]
    assert error(made, original, feeds) < 0.03
    assert np.isfinite(list(seen.values())).all()


def test_a_sum_of_several_is_a_sum_of_points() -> None:
    text = """<ir_version: 10, opset_import: ["" : 15]>
    net (float[4, 3, 16, 16] x) => (float[4, 4, 14, 14] y)
    { a = Conv (x, w) b = Conv (x, v) s = Sum (a, b, a) r = Relu (s) y = Conv (r, u) }"""
    weights = {"w": drawn(4, 3, 3, 3), "v": drawn(4, 3, 3, 3, seed=1), "u": drawn(4, 4, 1, 1)}
    original, made = model(text, **weights), model(text, **weights)
    names = activations(made, _floats(made))
    assert names == ["x", "a", "b", "r"]
    assert quantized(made, ranges(made, names, [X])) == ["a", "b", "s", "y"]
    (total,) = (node for node in made.graph.node if node.op_type == "Sum")
    assert all(name.endswith("_dequantized") for name in total.input)
    assert error(made, original, X) < 0.05
