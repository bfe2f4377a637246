"""Operands of a wrong shape are refused by the node and the operand's name, wherever the call stands.

Every case stands in a graph with declared sizes, in one with free sizes, and in bodies of If and Loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper

import sardonyx
from tests.property.operators.check import REFUSALS

Shape = tuple[int, ...]
MICROSOFT = "com.microsoft"
CLASSICAL = "ai.onnx.ml"


class Demand(NamedTuple):
    """Nodes in ONNX's syntax over inputs x, z, w, u, v; the last node is refused with this text.

    `integers` are the inputs of type int64, `bytes` those of type uint8; all others are floats of 1.
    """

    body: str
    shapes: tuple[Shape, ...]
    message: str
    integers: str = ""
    bytes: str = ""
    opset: int = 23


def after(constants: dict[str, Any], call: str) -> str:
    """The text of a call after constants: vectors are lists, other numbers have rank 0."""
    kinds = {int: "value_int", float: "value_float", list: "value_ints"}
    lines = [f"{name} = Constant<{kinds[type(n)]} = {n}>()" for name, n in constants.items()]
    return " ".join([*lines, call])


ON = "t = Constant<value = bool {1}>()"
POINTS = "s = Constant<value_float = 1.0>() p = Constant<value = uint8 {1}>()"
NORM = ((2, 3, 4), (3,), (3,), (3,), (3,))
HEADS = ((1, 2, 3, 4),) * 3
PART = "rotary_embedding_dim = 4"
LAYER = ((3, 2, 4), (1, 20, 4), (1, 20, 5))


def instead(shapes: tuple[Shape, ...], at: int, shape: Shape) -> tuple[Shape, ...]:
    """The shapes with another one at a place."""
    return (*shapes[:at], shape, *shapes[at + 1 :])


CASES = (
    Demand(f"{ON} r = Constant<value_float = 1.0>() y = Dropout(x, r, t)", ((2, 3),), "the ratio must be"),
    Demand(f"{ON} r = Constant<value_float = -0.5>() y = Dropout(x, r, t)", ((2, 3),), "the ratio must be"),
    Demand(after({"r": 1.5}, "y = Dropout(x, r)"), ((2, 3),), "the ratio must be"),
    Demand(f"{ON} y = Dropout(x, z, t)", ((2, 3), ()), "the ratio must be"),
    Demand(f"{ON} y = Dropout(x, z, t)", ((2, 3), (2,)), "the ratio has the shape"),
    *(
        Demand(f"y = {op}(x, u{more})", shapes, text, "u")
        for op, scores, labels in (
            ("NegativeLogLikelihoodLoss", "the input", "the target"),
            ("SoftmaxCrossEntropyLoss", "the scores", "the labels"),
        )
        for more, shapes, text in (
            ("", ((2, 3), (), (), (3,)), f"{labels} has the shape"),
            ("", ((2, 3, 4), (), (), (2,)), f"{labels} has the shape"),
            ("", ((2, 3, 4), (), (), (2, 5)), f"{labels} has the shape"),
            ("", ((2, 3), (), (), (2, 1)), f"{labels} has the shape"),
            ("", ((3,), (), (), (3,)), f"{scores} has the shape"),
            (", z", ((2, 3), (4,), (), (2,)), "has the shape"),
            (", z", ((2, 3), (1,), (), (2,)), "has the shape"),
            (", z", ((2, 3), (3, 1), (), (2,)), "has the shape"),
        )
    ),
    Demand("y = Gemm(x, z, w)", ((2, 3), (3, 1), (4,)), "the bias C has the shape"),
    Demand("y = Gemm(x, z, w)", ((1, 3), (3, 4), (2, 4)), "the bias C has the shape"),
    Demand("y = Gemm(x, z, w)", ((1, 3), (3, 4), (1, 1, 4)), "the bias C has the shape"),
    Demand("y = Gemm(x, z)", ((1, 3, 2), (3, 4)), "the matrix A has the shape"),
    Demand("y = Conv(x, z, w)", ((1, 2, 4, 4), (1, 2, 3, 3), (4,)), "the bias B has the shape"),
    Demand("y = Conv(x, z, w)", ((1, 2, 4, 4), (3, 2, 3, 3), (1,)), "the bias B has the shape"),
    Demand("y = Conv(x, z, w)", ((1, 2, 4, 4), (3, 2, 3, 3), (1, 3, 1, 1)), "the bias B has the shape"),
    Demand("y = ConvTranspose(x, z, w)", ((1, 2, 4, 4), (2, 1, 3, 3), (4,)), "the bias B has the shape"),
    Demand("y = ConvTranspose(x, z, w)", ((1, 2, 4, 4), (2, 3, 3, 3), (1,)), "the bias B has the shape"),
    Demand("y = ConvTranspose(x, z)", ((1, 2, 4, 4), (2, 3, 0, 3)), "the kernel is empty"),
    Demand(
        "y = DeformConv(x, z, w, u)", ((1, 1, 4, 4), (1, 1, 2, 2), (1, 8, 3, 3), (4,)), "the bias B has the"
    ),
    Demand("y = DeformConv(x, z, w)", ((1, 1, 4, 4), (1, 1, 2, 2), (1, 8, 9, 1)), "the offset has the shape"),
    Demand(
        "y = DeformConv(x, z, w, , u)",
        ((1, 1, 4, 4), (1, 1, 2, 2), (1, 8, 3, 3), (1, 4, 9, 1)),
        "the mask has the shape",
    ),
    *(
        Demand("y = BatchNormalization(x, z, w, u, v)", instead(NORM, at, bad), f"{what} has the shape")
        for at, what in enumerate(("the scale", "the bias B", "the mean", "the variance"), 1)
        for bad in ((1,), (3, 1), (4,))
    ),
    Demand("y = BatchNormalization(x, z, w, u, v)", ((2, 1, 4), *((4,),) * 4), "the scale has the shape"),
    Demand("y = BatchNormalization(x, z, z, z, z)", ((3,), (3,)), "the scale has the shape"),
    Demand("y = InstanceNormalization(x, z, w)", ((2, 1, 4), (4,), (4,)), "the scale has the shape"),
    Demand("y = InstanceNormalization(x, z, w)", ((2, 3, 4), (3,), (1,)), "the bias B has the shape"),
    Demand("y = GroupNormalization<num_groups = 2>(x, z, w)", ((2, 4, 4), (2, 2), (4,)), "the scale has the"),
    Demand("y = GroupNormalization<num_groups = 2>(x, z, w)", ((2, 4, 4), (4,), (2,)), "the bias has the"),
    Demand("y = GroupNormalization<num_groups = 3>(x, z, w)", ((2, 4, 4), (4,), (4,)), "do not split into 3"),
    Demand("y = GroupNormalization<num_groups = 0>(x, z, w)", ((2, 4, 4), (4,), (4,)), "at least one"),
    Demand(
        "y = GroupNormalization<num_groups = 2>(x, z, w)",
        ((2, 4, 4), (4,), (2,)),
        "the scale has the",
        opset=18,
    ),
    Demand("y = LayerNormalization(x, z, w)", ((2, 1), (4,), (1,)), "the scale has the shape"),
    Demand("y = LayerNormalization(x, z, w)", ((2, 3), (3,), (4,)), "the bias B has the shape"),
    Demand("y = RMSNormalization(x, z)", ((2, 1), (4,)), "the scale has the shape"),
    Demand("y = RMSNormalization(x, z)", ((2, 3), (2, 2, 3)), "the scale has the shape"),
    Demand("y = LRN<size = 0>(x)", ((1, 3, 2, 2),), "it must be positive"),
    Demand("y = QuantizeLinear(x, z)", ((2, 3), (2,)), "the scale has the shape"),
    Demand("y = QuantizeLinear(x, z)", ((2, 1), (4,)), "the scale has the shape"),
    Demand("y = QuantizeLinear(x, z, w)", ((2, 3), (3,), (1,)), "the zero point has the shape", bytes="w"),
    Demand("y = QuantizeLinear<axis = 0>(x, z)", ((4, 3), (2, 3)), "the scale has the shape"),
    Demand("y = QuantizeLinear<axis = 0, block_size = 2>(x, z)", ((4, 3), (2, 1)), "the scale has the shape"),
    Demand("y = DequantizeLinear(x, z)", ((2, 1), (4,)), "the scale has the shape", bytes="x"),
    Demand("y = DequantizeLinear(x, z, w)", ((2, 3), (), (3,)), "the zero point has the shape", bytes="xw"),
    Demand("y = DequantizeLinear(x, z, w)", ((2, 3), (3,), ()), "zero points differ in number", bytes="xw"),
    Demand(
        "y = DequantizeLinear<axis = 0, block_size = 2>(x, z)", ((4, 3), (3, 3)), "the scale has", bytes="x"
    ),
    Demand("y = MatMulInteger(x, z, w)", ((1, 3), (3, 4), (3,)), "the zero point of a has", bytes="xzw"),
    Demand("y = MatMulInteger(x, z, , w)", ((2, 3), (3, 1), (3,)), "the zero point of b has", bytes="xzw"),
    Demand(
        "y = ConvInteger(x, z, w)", ((1, 2, 4, 4), (3, 2, 2, 2), (2,)), "the zero point of x", bytes="xzw"
    ),
    Demand(
        "y = ConvInteger(x, z, , w)", ((1, 2, 4, 4), (1, 2, 2, 2), (2,)), "the zero point of w", bytes="xzw"
    ),
    Demand(
        f"{POINTS} y = QLinearMatMul(x, z, p, w, s, p, s, p)",
        ((2, 3), (3,), (3, 4)),
        "the scale of a has the shape",
        bytes="xw",
    ),
    Demand(
        f"{POINTS} y = QLinearMatMul(x, s, p, w, z, p, s, p)",
        ((2, 3), (3,), (3, 1)),
        "the scale of b has the shape",
        bytes="xw",
    ),
    Demand(
        f"{POINTS} y = QLinearConv(x, s, p, w, z, p, s, p)",
        ((1, 2, 4, 4), (2,), (1, 2, 2, 2)),
        "the scale of w has the shape",
        bytes="xw",
    ),
    Demand(
        f"{POINTS} b = Constant<value = int32[2] {{1, 1}}>() y = QLinearConv(x, s, p, z, s, p, s, p, b)",
        ((1, 2, 4, 4), (1, 2, 2, 2)),
        "the bias B has the shape",
        bytes="xz",
    ),
    Demand("y = Attention(x, z, w)", ((2, 2, 3, 4), *((1, 2, 3, 4),) * 2), "the keys"),
    Demand("y = Attention(x, z, w)", ((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 4, 4)), "the values"),
    Demand("y = Attention(x, z, w)", ((1, 2, 3, 4), *((1, 3, 3, 4),) * 2), "not a multiple"),
    Demand("y = Attention(x, z, w, u)", (*HEADS, (1, 1, 1, 3, 3)), "attn_mask has the shape"),
    Demand("y = Attention(x, z, w, u)", (*HEADS, (2, 2, 3, 3)), "attn_mask has the shape"),
    Demand("y = Attention(x, z, w, u)", (*HEADS, (3, 5)), "attn_mask is longer than the keys"),
    Demand("y = Attention(x, z, w, , u)", (*HEADS, (1, 2, 3, 4)), "past_key and past_value come together"),
    Demand("y = RotaryEmbedding(x, z, w)", ((1, 2, 3, 4), (1, 3, 2), (1, 3, 1)), "sin_cache has the shape"),
    Demand("y = RotaryEmbedding(x, z, z)", ((2, 2, 3, 4), (1, 3, 2)), "cos_cache has the shape"),
    Demand("y = RotaryEmbedding(x, z, z)", ((1, 2, 3, 4), (1, 3, 1)), "differ in width"),
    Demand("y = ConstantOfShape(x)", ((2, 2),), "the input of sizes has the shape", integers="x"),
    Demand("y = ConstantOfShape(x)", ((),), "the input of sizes has the shape []", integers="x"),
    Demand("y = Reshape(x, z)", ((2, 3), (2, 1)), "the input of sizes has the shape", integers="z"),
    Demand("y = Tile(x, z)", ((2, 3), (1, 2)), "repeats has the shape", integers="z"),
    Demand("y = Slice(x, z, z)", ((2, 3), (1, 2)), "starts has the shape", integers="z"),
    Demand("y = Pad(x, z)", ((2, 3), (2, 2)), "pads has the shape", integers="z"),
    Demand("y, i = TopK(x, z)", ((2, 3), (2,)), "k has the shape", integers="z"),
    Demand("y = Range(x, z, z)", ((2,), ()), "the start has the shape"),
    Demand(after({"a": [1, 0]}, "y = CumSum(x, a)"), ((2, 3),), "the axis has the shape"),
    Demand("d = Constant<value_int = 3>() y = OneHot(x, d, z)", ((4,), (3,)), "off and on", integers="x"),
    Demand("y = EyeLike(x)", ((2, 2, 2),), "the input has the shape"),
    Demand("y = EyeLike(x)", ((2,),), "the input has the shape"),
    Demand("y = Trilu(x)", ((2,),), "the input has the shape"),
    Demand(
        "b = Constant<value_ints = [2, 2]>() y = Col2Im(x, z, b)",
        ((1, 4, 4), (1, 2)),
        "the image shape has the shape",
        integers="z",
    ),
    Demand(after({"i": [3, 3], "b": [2, 2]}, "y = Col2Im(x, i, b)"), ((1, 5, 4),), "not a multiple of the"),
    Demand(after({"i": [3, 3], "b": [2, 2]}, "y = Col2Im(x, i, b)"), ((1, 4, 5),), "the columns differ"),
    *(
        Demand(f"q = SequenceConstruct(x, x) y = ConcatFromSequence<{given}>(q)", ((2, 2),), message)
        for given, message in (
            ("axis = 2", "axis 2 is out of range"),
            ("axis = 3, new_axis = 1", "axis 3 is out of range"),
            ("axis = 0, new_axis = 2", "new_axis is 2"),
        )
    ),
    Demand("y = DFT<onesided = 1>(x)", ((1, 8, 2),), "one-sided"),
    Demand("y = DFT<onesided = 1, inverse = 1>(x)", ((1, 8, 1),), "one-sided"),
    Demand(after({"a": [1, 1]}, "y = DFT(x, , a)"), ((1, 8, 1),), "the axis has the shape"),
    Demand(after({"s": -2, "n": 4}, "y = STFT(x, s, , n)"), ((1, 16, 1),), "must be positive"),
    Demand(after({"s": [2, 2], "n": 4}, "y = STFT(x, s, , n)"), ((1, 16, 1),), "the step has the shape"),
    Demand("y = GridSample(x, z)", ((1, 1, 4, 4), (1, 3, 3, 3)), "the grid has the shape"),
    Demand("y = GridSample(x, z)", ((1, 1, 4, 4), (1, 3, 2)), "the grid has the shape"),
    Demand("y = GridSample(x, z)", ((2, 1, 4, 4), (1, 3, 3, 2)), "the grid has the shape"),
    Demand("y = AffineGrid(x, z)", ((1, 2, 3), (3,)), "AffineGrid needs 4 or 5 sizes", integers="z"),
    Demand(after({"s": [2, 1, 3, 3]}, "y = AffineGrid(x, s)"), ((2, 2, 4),), "theta has the shape"),
    Demand("y = MaxPool<kernel_shape = [2, -1]>(x)", ((1, 1, 5, 5),), "must not be negative"),
    Demand(
        "y = RoiAlign<sampling_ratio = 2147483647>(x, z, w)",
        ((1, 1, 4, 4), (1, 4), (1,)),
        "sampling_ratio 2147483647 is more than",
        integers="w",
    ),
    *(
        Demand("y = TensorScatter(x, z)", ((2, 3, 4, 5), shape), "the update has the shape", opset=24)
        for shape in ((2, 3, 4), (1, 2, 3, 4, 5), (2, 2, 4, 5), (2, 3, 1, 4))
    ),
    Demand("y = GlobalMaxPool(x)", ((3, 2),), "the input has the shape"),
    Demand("y, h = LSTM<hidden_size = 5>(x, z, w, u)", (*LAYER, (1, 20)), "the bias B has the shape"),
    Demand("y, h = LSTM<hidden_size = 5>(x, z, w, , , u)", (*LAYER, (2, 5)), "an initial state has the"),
    Demand("y, h = LSTM<hidden_size = 4>(x, z, w)", LAYER, "R and hidden_size differ"),
    Demand(
        "n = Cast<to = 6>(u) y, h = LSTM<hidden_size = 5>(x, z, w, , n)",
        (*LAYER, (1,)),
        "sequence_lens has the shape",
    ),
    *(
        Demand(f"y, q = {MICROSOFT}.CausalConvWithState({given})", ((1, 2, 5), (2, 1, 3), shape), message)
        for given, shape, message in (
            ("x, z, w", (1,), "the bias has the shape"),
            ("x, z, , w", (1, 2, 3), "past_state has the shape"),
            ("x, z, , w", (2, 2), "past_state has the shape"),
        )
    ),
    Demand(f"y = {MICROSOFT}.UnfoldTensor<size = 0>(x)", ((2, 5),), "both must be positive"),
    Demand(f"y = {MICROSOFT}.UnfoldTensor<size = 2, step = -1>(x)", ((2, 5),), "both must be positive"),
    Demand(f"y = {MICROSOFT}.UnfoldTensor<size = 7>(x)", ((2, 5),), "the axis is shorter than a window"),
    Demand(f"y = {MICROSOFT}.BiasGelu(x, z)", ((2, 1), (4,)), "the bias B has the shape"),
    Demand(f"y = {MICROSOFT}.SkipLayerNormalization(x, z, w)", ((2, 1), (2, 1), (4,)), "gamma has the shape"),
    Demand(f"y = {MICROSOFT}.FusedConv(x, z, , w)", ((1, 1, 3, 3), (1, 1, 2, 2), (1, 1, 1, 1)), "Z has the"),
    *(
        Demand(f"y = {MICROSOFT}.RotaryEmbedding<{given}>(x, u, z, w)", (x, cos, sin, places), message, "u")
        for given, x, cos, sin, places, message in (
            (
                "num_heads = 2",
                (2, 3, 16),
                (8, 3),
                (8, 3),
                (2, 3),
                "the cache and what is rotated differ in width",
            ),
            (
                "num_heads = 2",
                (2, 3, 16),
                (8, 5),
                (8, 5),
                (2, 3),
                "the cache and what is rotated differ in width",
            ),
            (
                "scale = 1.0",
                (2, 2, 3, 8),
                (8, 2),
                (8, 2),
                (2, 3),
                "the cache and what is rotated differ in width",
            ),
            (
                f"num_heads = 2, {PART}",
                (2, 3, 16),
                (8, 4),
                (8, 4),
                (2, 3),
                "the cache and what is rotated differ in width",
            ),
            (f"num_heads = 8, {PART}", (2, 3, 16), (8, 2), (8, 2), (2, 3), "a head is narrower than rotary"),
            (PART, (2, 3, 16), (8, 2), (8, 2), (2, 3), "needs the numbers of heads"),
            ("scale = 1.0", (2, 3, 16), (8, 5), (8, 5), (2, 3), "the last axis is not heads twice as wide"),
            ("scale = 1.0", (2, 3, 16), (8, 4), (8, 3), (2, 3), "sin_cache has the shape"),
            ("scale = 1.0", (2, 3, 16), (8, 4), (7, 4), (2, 3), "sin_cache has the shape"),
            ("scale = 1.0", (2, 3, 16), (8, 4), (8, 4), (1, 3), "position_ids has the shape"),
            ("scale = 1.0", (2, 3, 16), (8, 4), (8, 4), (2,), "position_ids has the shape"),
        )
    ),
    *(
        Demand(
            f"y = {MICROSOFT}.MRotaryEmbedding<{given}>(x, u, z, z)", (x, (8, 4), (), places), message, "u"
        )
        for given, x, places, message in (
            (
                "mrope_section = [2, 1, 1]",
                (2, 2, 3, 10),
                (3, 2, 3),
                "the cache and what is rotated differ in width",
            ),
            ("mrope_section = [2, 1, 2]", (2, 2, 3, 8), (3, 2, 3), "mrope_section and the cache differ"),
            ("mrope_section = [2, 1, 1]", (2, 2, 3, 8), (2, 2, 3), "position_ids has the shape"),
        )
    ),
    *(
        Demand(f"y = {CLASSICAL}.{call}(x)", (x,), message, integers)
        for call, x, message, integers in (
            ("Imputer<imputed_value_floats = [1.0, 2.0]>", (2, 3), "imputed_value_floats has the shape", ""),
            ("Imputer<imputed_value_floats = [1.0, 2.0]>", (2, 1), "imputed_value_floats has the shape", ""),
            ("Imputer<imputed_value_floats = [1.0]>", (), "the input has the shape", ""),
            ("Imputer<imputed_value_floats = [1.0]>", (2, 3), "imputed_value_int64s is missing", "x"),
            ("Imputer<imputed_value_int64s = [1, 2]>", (2, 1), "imputed_value_int64s has the shape", "x"),
            ("Imputer<imputed_value_int64s = [1, 2]>", (2, 3), "imputed_value_floats is missing", ""),
            ("Scaler<offset = [1.0, 2.0], scale = [1.0]>", (2, 1), "offset has the shape", ""),
            ("Scaler<offset = [1.0], scale = [1.0, 2.0, 3.0]>", (2, 4), "scale has the shape", ""),
            ("FeatureVectorizer<inputdimensions = [3, 1]>", (2, 3), "the numbers of inputdimensions", ""),
        )
    ),
)


def flat(case: Demand, declared: bool) -> onnx.ModelProto:
    """The case as a graph."""
    inputs = []
    for name, shape in zip("xzwuv", case.shapes, strict=False):
        kind = "int64" if name in case.integers else "uint8" if name in case.bytes else "float"
        sizes = ", ".join(str(n) if declared else f"{name}_{axis}" for axis, n in enumerate(shape))
        inputs.append(f"{kind}[{sizes}] {name}" if shape else f"{kind} {name}")
    opsets = f'"" : {case.opset}, "{MICROSOFT}" : 1, "{CLASSICAL}" : 3'
    text = (
        f"<ir_version: 10, opset_import: [{opsets}]> g ({', '.join(inputs)}) => (float y) {{ {case.body} }}"
    )
    model = onnx.parser.parse_model(text)
    model.graph.output[0].ClearField("type")
    return model


def in_branch(case: Demand, declared: bool) -> onnx.ModelProto:
    """The case in the branch of an If that is taken."""
    model = flat(case, declared)
    outputs = [helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, ())]
    node = helper.make_node("Constant", [], ["r"], value_float=0.0)
    other = helper.make_graph([node], "other", [], outputs)
    then = helper.make_graph(list(model.graph.node), "then", [], list(model.graph.output))
    fork = helper.make_node("If", ["taken"], ["y"], name="fork", then_branch=then, else_branch=other)
    del model.graph.node[:]
    model.graph.node.append(fork)
    model.graph.input.append(helper.make_tensor_value_info("taken", onnx.TensorProto.BOOL, ()))
    return model


def in_turn(case: Demand, declared: bool) -> onnx.ModelProto:
    """The case in the body of a Loop."""
    model = flat(case, declared)
    number = helper.make_tensor_value_info("number", onnx.TensorProto.INT64, ())
    going, still = (helper.make_tensor_value_info(n, onnx.TensorProto.BOOL, ()) for n in ("going", "still"))
    keep = helper.make_node("Identity", ["going"], ["still"])
    result = onnx.ValueInfoProto(name="y")
    body = helper.make_graph([keep, *model.graph.node], "body", [number, going], [still, result])
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Loop", ["turns", "taken"], ["ys"], name="turn", body=body))
    model.graph.output[0].name = "ys"
    model.graph.input.append(helper.make_tensor_value_info("turns", onnx.TensorProto.INT64, ()))
    model.graph.input.append(helper.make_tensor_value_info("taken", onnx.TensorProto.BOOL, ()))
    return model


FORMS: dict[str, Callable[[Demand], onnx.ModelProto]] = {
    "declared": lambda case: flat(case, declared=True),
    "free": lambda case: flat(case, declared=False),
    "free, If": lambda case: in_branch(case, declared=False),
    "free, Loop": lambda case: in_turn(case, declared=False),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=[f"{c.body} of {c.shapes}" for c in CASES])
def test_the_message_names_the_node_and_the_operand(case: Demand, form: str) -> None:
    model = FORMS[form](case)
    feeds: dict[str, Any] = {
        name: np.ones(shape, np.int64 if name in case.integers else np.uint8 if name in case.bytes else "f4")
        for name, shape in zip("xzwuv", case.shapes, strict=False)
    }
    feeds |= {"taken": np.array(True), "turns": np.array(2)}
    feeds = {i.name: feeds[i.name] for i in model.graph.input}
    with pytest.raises(REFUSALS) as refused:
        sardonyx.InferenceSession(model.SerializeToString()).run(None, feeds)
    assert case.message in str(refused.value)
    assert flat(case, declared=True).graph.node[-1].op_type in str(refused.value)
