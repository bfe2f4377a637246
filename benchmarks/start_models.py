"""Models of usual kinds whose weights are drawn: BERT-base, and a LightGBM regressor of 194 MB.

Decides sizes and seeds; a model depends on them alone, so every run and machine measures the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]

LAYERS, WIDTH, HEADS, INNER, WORDS, POSITIONS = 12, 768, 12, 3072, 30522, 512
TREES, LEAVES, FEATURES = 10_000, 255, 30


def bert_base(path: Path) -> dict[str, Array]:
    """Write a BERT-base encoder in float32; a feed of one sentence of 32 tokens."""
    rng = np.random.default_rng(0)
    tensors: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def weight(name: str, *shape: int, scale: float = 0.02) -> str:
        drawn = rng.standard_normal(shape, np.float32) * np.float32(scale)
        tensors.append(numpy_helper.from_array(drawn, name))
        return name

    def fixed(name: str, *values: int) -> str:
        tensors.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def node(op: str, *inputs: str, name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def normal(x: str, name: str) -> str:
        scale, bias = weight(f"{name}.scale", WIDTH), weight(f"{name}.bias", WIDTH)
        return node("LayerNormalization", x, scale, bias, name=name, axis=-1, epsilon=1e-12)

    def linear(x: str, name: str, columns: int, rows: int = WIDTH) -> str:
        product = node("MatMul", x, weight(f"{name}.weight", rows, columns), name=f"{name}.product")
        return node("Add", product, weight(f"{name}.bias", columns), name=name)

    apart, joined = fixed("apart", 0, 0, HEADS, WIDTH // HEADS), fixed("joined", 0, 0, WIDTH)
    tensors.append(numpy_helper.from_array(np.float32((WIDTH // HEADS) ** -0.5), "share"))

    def heads(x: str, name: str, order: list[int]) -> str:
        split = node("Reshape", linear(x, name, WIDTH), apart, name=f"{name}.split")
        return node("Transpose", split, name=f"{name}.heads", perm=order)

    words = node("Gather", weight("words", WORDS, WIDTH), "input_ids", name="words.taken")
    places = node("Gather", weight("places", POSITIONS, WIDTH), "position_ids", name="places.taken")
    x = normal(node("Add", words, places, name="embedded"), "embedding")
    for n in range(LAYERS):
        q, v = (heads(x, f"{n}.{part}", [0, 2, 1, 3]) for part in ("query", "value"))
        scores = node("MatMul", q, heads(x, f"{n}.key", [0, 2, 3, 1]), name=f"{n}.scores")
        shares = node(
            "Softmax", node("Mul", scores, "share", name=f"{n}.scaled"), name=f"{n}.shares", axis=-1
        )
        mixed = node(
            "Transpose", node("MatMul", shares, v, name=f"{n}.mixed"), name=f"{n}.rows", perm=[0, 2, 1, 3]
        )
        out = linear(node("Reshape", mixed, joined, name=f"{n}.joined"), f"{n}.out", WIDTH)
        x = normal(node("Add", x, out, name=f"{n}.attended"), f"{n}.attention")
        inner = node("Gelu", linear(x, f"{n}.up", INNER), name=f"{n}.gelu")
        x = normal(node("Add", x, linear(inner, f"{n}.down", WIDTH, INNER), name=f"{n}.sum"), f"{n}.layer")
    inputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "position_ids")
    ]
    result = helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ["batch", "length", WIDTH])
    graph = helper.make_graph(nodes, "bert_base", inputs, [result], tensors)
    save(path, graph, {"": 20})
    ids = np.random.default_rng(1).integers(0, WORDS, (1, 32))
    return {"input_ids": ids, "position_ids": np.arange(32, dtype=np.int64)[None]}


def lightgbm(path: Path) -> dict[str, Array]:
    """Write a regressor of many trees as onnxmltools writes LightGBM's; a feed of one row."""
    rng = np.random.default_rng(0)
    left, right = tree_shapes(rng)
    count = left.shape[1]
    branch = left >= 0
    leaf_tree, leaf_node = np.nonzero(~branch)
    node_numbers = np.broadcast_to(np.arange(count), left.shape)
    attributes: dict[str, Any] = {
        "n_targets": 1,
        "post_transform": "NONE",
        "nodes_treeids": np.repeat(np.arange(TREES), count).tolist(),
        "nodes_nodeids": node_numbers.ravel().tolist(),
        "nodes_featureids": np.where(branch, rng.integers(0, FEATURES, left.shape), 0).ravel().tolist(),
        "nodes_values": np.where(branch, rng.standard_normal(left.shape), 0)
        .astype(np.float32)
        .ravel()
        .tolist(),
        "nodes_hitrates": [1.0] * left.size,
        "nodes_missing_value_tracks_true": [0] * left.size,
        "nodes_modes": np.where(branch, b"BRANCH_LEQ", b"LEAF").ravel().tolist(),
        "nodes_truenodeids": np.maximum(left, 0).ravel().tolist(),
        "nodes_falsenodeids": np.maximum(right, 0).ravel().tolist(),
        "target_treeids": leaf_tree.tolist(),
        "target_nodeids": leaf_node.tolist(),
        "target_ids": [0] * leaf_tree.size,
        "target_weights": rng.standard_normal(leaf_tree.size).astype(np.float32).tolist(),
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], "trees", "", "ai.onnx.ml", **attributes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows", FEATURES])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows", 1])
    save(path, helper.make_graph([node], "lightgbm", [x], [y]), {"ai.onnx.ml": 1, "": 15})
    return {"x": np.random.default_rng(1).standard_normal((1, FEATURES), np.float32)}


def tree_shapes(rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The children of every node of every tree, -1 at leaves; a random leaf becomes a branch at each step."""
    nodes = 2 * LEAVES - 1
    children = np.full((2, TREES, nodes), -1)
    every = np.arange(TREES)
    leaves = np.zeros((TREES, LEAVES), np.int64)
    for step in range(LEAVES - 1):
        place = rng.integers(0, step + 1, TREES)
        chosen = leaves[every, place]
        first = 2 * step + 1
        children[0, every, chosen], children[1, every, chosen] = first, first + 1
        leaves[every, place], leaves[every, step + 1] = first, first + 1
    return children[0], children[1]


def save(path: Path, graph: onnx.GraphProto, opsets: dict[str, int]) -> None:
    """Write a graph as a model file."""
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString())
