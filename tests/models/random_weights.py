"""A network whose weights are constant rewritten with random ones that keep the size of its activations."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Array = np.ndarray[Any, Any]

SCALES = {("Mul", 1), ("BatchNormalization", 1), ("BatchNormalization", 4)}
"""What multiplies, and a variance: near 1. Every other vector is added: near 0."""
PRODUCTS = {"Conv", "Gemm"}


def with_random_weights(path: Path) -> bytes:
    """The model with every constant weight drawn by its role, seeded by the file's name.

    Weights of a product have the variance 2 / (terms of a sum), which a ReLU between two products leaves
    the same; the logits that a last Softmax reads become a second output.
    """
    model = onnx.load(path)
    graph = model.graph
    random = np.random.default_rng(zlib.crc32(path.stem.encode()))
    shapes = dict(_weight_shapes(graph))
    through = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Unsqueeze"}
    drawn: dict[str, Array] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            weight = through.get(name, name)
            if weight in shapes and (place > 0 or node.op_type == "Mul") and node.op_type != "Unsqueeze":
                drawn.setdefault(weight, _draw(node.op_type, place, shapes[weight], random))
    _replace(graph, drawn)
    logits = [node.input[0] for node in graph.node if node.op_type == "Softmax"]
    graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in logits)
    return bytes(model.SerializeToString())


def _weight_shapes(graph: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The float tensors of a graph that are given, as initializers or as one number and a shape."""
    known = {tensor.name: tensor for tensor in graph.initializer}
    for name, tensor in known.items():
        if tensor.data_type == onnx.TensorProto.FLOAT:
            yield name, tuple(tensor.dims)
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            yield node.output[0], tuple(numpy_helper.to_array(known[node.input[0]]).tolist())


def _draw(op_type: str, place: int, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    if op_type in PRODUCTS and place == 1:
        return (random.standard_normal(shape, np.float32) * sqrt(2 / prod(shape[1:]))).astype(np.float32)
    if (op_type, place) in SCALES:
        return random.uniform(0.8, 1.2, shape).astype(np.float32)
    return random.normal(0, 0.1, shape).astype(np.float32)


def _replace(graph: Any, drawn: dict[str, Array]) -> None:
    for node in [node for node in graph.node if node.output[0] in drawn]:
        graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name in drawn]:
        graph.initializer.remove(tensor)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in drawn.items())
