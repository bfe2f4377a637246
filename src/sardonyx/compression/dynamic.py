"""Weights in 8 bits, activations in 8 bits by what they are when the model runs: no samples are needed.

A product becomes DynamicQuantizeLinear, MatMulInteger (ConvInteger) and a scale for each column; a lookup
table keeps a scale for each of its rows.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx

from sardonyx.compression.integers import Floats, signed
from sardonyx.compression.scope import Array, Nodes, Scope, identity, require
from sardonyx.compression.scope import rewrite as rewrite_nodes

FLOAT = onnx.TensorProto.FLOAT
KINDS = ("MatMul", "Gemm", "Gather", "LSTM")
"""What is taken unless asked otherwise."""
NAMED = ("Conv",)
"""Can be named, too."""
LEAST_TABLE = 1 << 14
"""Smaller lookup tables are left alone: nothing is won."""


def quantized(
    model: onnx.ModelProto, leave: Collection[str] = (), kinds: Collection[str] = KINDS, bits: int = 8
) -> list[str]:
    """Rewrite a model in place.

    Args:
        model: of opset 11 or newer.
        leave: identities of nodes to leave alone.
        kinds: operators to rewrite, of MatMul, Gemm, Gather, LSTM and Conv.
        bits: of weights; 7 for engines whose 8-bit sums saturate.

    Returns:
        The identities of the nodes that were rewritten.
    """
    done: list[str] = []

    def written(scope: Scope, node: onnx.NodeProto) -> Nodes | None:
        writer = _WRITERS.get(node.op_type)
        if node.domain or node.op_type not in kinds or writer is None or identity(node) in leave:
            return None
        made: Nodes | None = writer(scope, node, bits)
        if made is not None:
            done.append(identity(node))
        return made

    rewrite_nodes(Scope(model.graph), written)
    if any(node.domain == "com.microsoft" for node in model.graph.node):
        require(model, "com.microsoft", 1)
    return done


def _points(scope: Scope, value: str, made: Nodes) -> tuple[str, str, str]:
    """Points, scale and zero point of an activation; once for all that read it."""
    if value not in scope.shared:
        known = scope.fresh(f"{value}_points"), scope.fresh(f"{value}_scale"), scope.fresh(f"{value}_zero")
        made.append(onnx.helper.make_node("DynamicQuantizeLinear", [value], known, known[0]))
        scope.shared[value] = known
    points, scale, zero = scope.shared[value]
    return points, scale, zero


def _weight_points(
    scope: Scope,
    name: str,
    way: str,
    weight: Floats,
    axis: int | None,
    bits: int,
    shape: tuple[int, ...] = (),
) -> tuple[str, ...]:
    """Points and scale of a weight, of this shape if one is given; once for all that read them so."""

    def made() -> dict[str, Array]:
        points, scale = signed(weight, axis, bits)
        return {"points": points, "scale": scale.reshape(shape) if shape else scale}

    return scope.derived(name, way, made)


def _scaled(
    scope: Scope, node: onnx.NodeProto, sums: str, scales: tuple[str, str], bias: str, made: Nodes
) -> Nodes:
    """What follows integer sums: as floats, by the product of scales, and the bias."""
    hint = node.output[0]
    floats = scope.put(made, "Cast", [sums], f"{hint}_sums", to=FLOAT)
    scale = scope.put(made, "Mul", list(scales), f"{hint}_scale")
    target = scope.fresh(f"{hint}_unbiased") if bias else hint
    made.append(onnx.helper.make_node("Mul", [floats, scale], [target], node.name))
    if bias:
        made.append(
            onnx.helper.make_node("Add", [target, bias], [node.output[0]], scope.fresh(f"{hint}_bias"))
        )
    return made


def _product(
    scope: Scope,
    node: onnx.NodeProto,
    bits: int,
    bias: str = "",
    turned: bool = False,
    factor: float = 1.0,
) -> Nodes | None:
    weight = scope.bounded_weight(node.input[1])
    if weight is None or weight.ndim < 2 or not weight.size or scope.weight(node.input[0]) is not None:
        return None
    matrix = np.float32(factor) * (weight.T if turned else weight)
    axis = -1 if weight.ndim == 2 else None
    names = _weight_points(scope, node.input[1], f"columns {turned} {factor}", matrix, axis, bits)
    made: Nodes = []
    value, value_scale, value_zero = _points(scope, node.input[0], made)
    sums = scope.put(made, "MatMulInteger", [value, names[0], value_zero], f"{node.output[0]}_integers")
    return _scaled(scope, node, sums, (value_scale, names[1]), bias, made)


def _affine(scope: Scope, node: onnx.NodeProto, bits: int) -> Nodes | None:
    said = {row.name: onnx.helper.get_attribute_value(row) for row in node.attribute}
    if said.get("transA"):
        return None
    bias, beta = node.input[2] if len(node.input) > 2 else "", said.get("beta", 1.0)
    before: Nodes = []
    if bias and beta != 1:
        factor = scope.add(np.array(beta, np.float32), f"{bias}_beta")
        bias = scope.put(before, "Mul", [bias, factor], f"{bias}_scaled")
    made = _product(scope, node, bits, bias, bool(said.get("transB")), said.get("alpha", 1.0))
    return None if made is None else [*before, *made]


def _convolution(scope: Scope, node: onnx.NodeProto, bits: int) -> Nodes | None:
    weight = scope.bounded_weight(node.input[1])
    if weight is None or not weight.size:
        return None
    column = (-1, *(1,) * (weight.ndim - 2))
    made: Nodes = []
    value, value_scale, value_zero = _points(scope, node.input[0], made)
    name, scale = _weight_points(scope, node.input[1], "channels", weight, 0, bits, column)
    sums = scope.put(made, "ConvInteger", [value, name, value_zero], f"{node.output[0]}_integers")
    made[-1].attribute.extend(node.attribute)
    bias = node.input[2] if len(node.input) > 2 else ""
    if bias:
        shape = scope.add(np.array(column, np.int64), f"{bias}_shape")
        bias = scope.put(made, "Reshape", [bias, shape], f"{bias}_column")
    return _scaled(scope, node, sums, (value_scale, scale), bias, made)


def _lookup(scope: Scope, node: onnx.NodeProto, bits: int) -> Nodes | None:
    axis = next((row.i for row in node.attribute if row.name == "axis"), 0)
    table = scope.bounded_weight(node.input[0])
    if table is None or table.ndim != 2 or axis not in (0, -2) or table.size < LEAST_TABLE:
        return None
    names = _weight_points(scope, node.input[0], "rows", table, 0, bits, (-1, 1))
    made: Nodes = []
    taken = [scope.put(made, "Gather", [name, node.input[1]], f"{name}_taken") for name in names]
    floats = scope.put(made, "Cast", [taken[0]], f"{node.output[0]}_points", to=FLOAT)
    return [*made, onnx.helper.make_node("Mul", [floats, taken[1]], list(node.output), node.name)]


def _recurrent(scope: Scope, node: onnx.NodeProto, bits: int) -> Nodes | None:
    weights = [scope.bounded_weight(name) for name in node.input[1:3]]
    if any(weight is None or not weight.size for weight in weights):
        return None
    if any(row.name == "layout" and row.i for row in node.attribute):
        return None
    inputs = list(node.input) + [""] * (8 - len(node.input))
    for at, weight in enumerate(weights, 1):
        assert weight is not None
        name, turned = inputs[at], weight.transpose(0, 2, 1)
        inputs[at], scale = _weight_points(scope, name, "gates", turned, 0, bits)
        inputs += [scale, scope.add(np.zeros(len(weight), np.int8), f"{name}_zero")]
    made = onnx.helper.make_node(
        "DynamicQuantizeLSTM", inputs, list(node.output), node.name, domain="com.microsoft"
    )
    made.attribute.extend(row for row in node.attribute if row.name != "layout")
    return [made]


_WRITERS = {
    "MatMul": _product,
    "Gemm": _affine,
    "Conv": _convolution,
    "Gather": _lookup,
    "LSTM": _recurrent,
}
