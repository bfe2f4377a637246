"""Norms that follow convolutions join their weights and biases, so that both become one product of points.

Decides which norms do; must not know points.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx

from sardonyx.compression.integers import Floats
from sardonyx.compression.scope import Scope, every_graph

_EPSILON = 1e-5


def fold_norms(graph: onnx.GraphProto) -> int:
    """Rewrite a graph in place; how many BatchNormalizations of known numbers have joined convolutions."""
    scope = Scope(graph)
    read = Counter(name for inner in every_graph(graph) for node in inner.node for name in node.input)
    read.update(value.name for value in graph.output)
    makers = {node.output[0]: node for node in graph.node if node.op_type == "Conv" and not node.domain}
    gone = []
    for norm in graph.node:
        conv = makers.get(norm.input[0]) if norm.op_type == "BatchNormalization" else None
        if norm.domain or conv is None or read[conv.output[0]] != 1:
            continue
        if _joined(scope, conv, norm):
            gone.append(norm)
    for norm in gone:
        graph.node.remove(norm)
    return len(gone)


def _joined(scope: Scope, conv: onnx.NodeProto, norm: onnx.NodeProto) -> bool:
    """Whether a norm has joined its convolution."""
    said = {row.name: onnx.helper.get_attribute_value(row) for row in norm.attribute}
    weight, numbers = scope.bounded_weight(conv.input[1]), [scope.bounded_weight(n) for n in norm.input[1:5]]
    has_bias = len(conv.input) > 2 and bool(conv.input[2])
    bias = scope.bounded_weight(conv.input[2]) if has_bias else np.zeros((), np.float32)
    known = [n for n in numbers if n is not None]
    if weight is None or bias is None or len(known) != len(numbers):
        return False
    outputs = [name for name in norm.output if name]
    if said.get("training_mode") or said.get("spatial", 1) != 1 or len(outputs) > 1:
        return False
    factor, moved = _affine(known, said.get("epsilon", _EPSILON))
    if factor.shape != weight.shape[:1] or not np.isfinite(factor).all():
        return False
    wide = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    conv.input[1] = scope.add(wide.astype(np.float32), f"{conv.input[1]}_normed")
    hint = f"{conv.input[2]}_normed" if has_bias else f"{conv.output[0]}_bias"
    name = scope.add((bias * factor + moved).astype(np.float32), hint)
    del conv.input[2:]
    conv.input.append(name)
    conv.output[0] = norm.output[0]
    return True


def _affine(numbers: list[Floats], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """What each channel is multiplied by and what is added then, by scale, shift, mean and variance."""
    scale, shift, mean, variance = (n.astype(np.float64) for n in numbers)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = scale / np.sqrt(variance + epsilon)
    return factor, shift - mean * factor
