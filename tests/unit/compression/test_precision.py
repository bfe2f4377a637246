"""Halves where an operator allows them, floats elsewhere."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from sardonyx.compression.precision import converted, element_of, types_of
from sardonyx.compression.scope import every_graph
from tests.unit.compression.models import (
    answers,
    drawn,
    error,
    kinds,
    model,
    picture_net,
    two_layers,
    with_bodies,
)

HALF, BRAIN = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16


@pytest.mark.parametrize("net", [two_layers, picture_net])
def test_values_become_half_and_the_edges_stay(net: object) -> None:
    original, made = net(), net()
    changed = converted(made, types_of(made), "fp16")
    assert len(changed) == len(original.graph.node)
    assert {tensor.data_type for tensor in made.graph.initializer} == {HALF}
    assert kinds(made).count("Cast") == 2
    shape = [size.dim_value or 3 for size in made.graph.input[0].type.tensor_type.shape.dim]
    assert error(made, original, {"x": drawn(*shape)}) < 2e-3


def test_the_edges_change_if_asked() -> None:
    made = two_layers()
    converted(made, types_of(made), "fp16", edges=True)
    assert "Cast" not in kinds(made)
    assert made.graph.input[0].type.tensor_type.elem_type == HALF
    assert answers(made, {"x": drawn(3, 48).astype(np.float16)})[0].dtype == np.float16


def test_bodies_take_and_give_halves() -> None:
    original, made = with_bodies(), with_bodies()
    converted(made, types_of(made), "fp16")
    inner = [node.op_type for graph in list(every_graph(made.graph))[1:] for node in graph.node]
    assert {"MatMul", "Tanh"} <= set(inner)
    for condition in (True, False):
        assert error(made, original, {"x": drawn(4, 32), "c": np.array(condition)}) < 2e-3


def test_bodies_share_a_narrow_weight() -> None:
    made = with_bodies()
    converted(made, types_of(made), "fp16")
    assert [len(graph.initializer) for graph in every_graph(made.graph)] == [1, 0, 0]


def test_a_loop_carries_halves() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (int64 n, float[4] x) => (float[4] y, float[k, 4] s)
    {
        t = Constant <value = bool {1}> ()
        y, s = Loop (n, t, x) <body = b (int64 i, bool c, float[4] v) => (bool d, float[4] u, float[4] o)
            { d = Identity (c)  u = Mul (v, w)  o = Add (u, w) }>
    }"""
    weight = np.float32([0.5, 1, 1.25, 2])
    original, made = model(text, w=weight), model(text, w=weight)
    assert converted(made, types_of(made), "fp16")
    body = (
        made.graph.node[-3].attribute[0].g
        if made.graph.node[-3].attribute
        else list(every_graph(made.graph))[1]
    )
    assert body.input[2].type.tensor_type.elem_type == HALF
    assert error(made, original, {"n": np.array(3), "x": np.float32([1, 2, 3, 4])}) < 2e-3


def test_bfloat16() -> None:
    made = two_layers()
    assert converted(made, types_of(made), "bf16") == ["a", "b", "h", "y"]
    assert {tensor.data_type for tensor in made.graph.initializer} == {BRAIN}


def test_operators_and_inputs_that_know_no_halves_keep_floats() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[1, 1, 4, 4] x) => (float[1, 1, 8, 8] y)
    { a = Relu (x)  b = Resize <mode = "nearest"> (a, , s)  q, qs, z = DynamicQuantizeLinear (b)
      d = DequantizeLinear (q, qs, z)  y = Neg (d) }"""
    scales = np.float32([1, 1, 2, 2])
    original, made = model(text, s=scales), model(text, s=scales)
    assert converted(made, types_of(made), "fp16") == ["a", "b", "y"]
    assert next(t.data_type for t in made.graph.initializer if t.name == "s") == onnx.TensorProto.FLOAT
    assert error(made, original, {"x": np.abs(drawn(1, 1, 4, 4))}) < 0.02


def test_types_that_attributes_name_change() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (int64[2] i, int64[1] k) => (float[2] y)
    { a = Cast <to = 1> (i)  f = ConstantOfShape <value = float[1] {3}> (k)  y = Add (a, f) }"""
    original, made = model(text), model(text)
    assert converted(made, types_of(made), "fp16") == ["a", "f", "y"]
    assert error(made, original, {"i": np.array([1, 2]), "k": np.array([1])}) < 1e-3


def test_weights_that_halves_cannot_hold() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (float[2] x) => (float[2] y) { a = Mul (x, w)  y = Add (a, m) }"""
    made = model(text, w=np.float32([1e5, 1]), m=np.float32([-3e38, 0]))
    assert converted(made, types_of(made), "fp16") == ["y"]
    assert answers(made, {"x": np.float32([0, 1])})[0].tolist() == [-65504, 1]


def test_left_alone() -> None:
    original, made = two_layers(), two_layers()
    assert converted(made, types_of(made), "fp16", leave=("y",)) == ["a", "b", "h"]
    assert error(made, original, {"x": drawn(3, 48)}) < 2e-3


def test_a_name_with_two_types_is_left_alone() -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    net (bool c, float[2] x) => (float[2] y)
    { y = If (c) <then_branch = t () => (float[2] p) { h = Neg (x)  p = Abs (h) },
                  else_branch = e () => (float[2] q) { h = Cast <to = 7> (x)  q = Cast <to = 1> (h) }> }"""
    original, made = model(text), model(text)
    assert types_of(made)["h"] == -1
    converted(made, types_of(made), "fp16")
    for condition in (True, False):
        assert error(made, original, {"c": np.array(condition), "x": np.float32([1, -2])}) < 1e-3


def test_the_engine_s_words_for_types() -> None:
    assert element_of("tensor(float)") == onnx.TensorProto.FLOAT
    assert element_of("tensor(bfloat16)") == BRAIN
    assert element_of("tensor(int64)") == 0
    assert element_of("seq(tensor(float))") == -1
