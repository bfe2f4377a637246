"""A LightGBM regressor of 194 MB whose trees are drawn: the same file on every run and machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sardonyx.authoring import GraphWriter

Array = npt.NDArray[Any]

TREES, LEAVES, FEATURES = 10_000, 255, 30


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
    graph = GraphWriter()
    graph.node("TreeEnsembleRegressor", ["x"], "y", domain="ai.onnx.ml", **attributes)
    x, y = ((onnx.TensorProto.FLOAT, ["rows", columns]) for columns in (FEATURES, 1))
    model = graph.model("lightgbm", {"x": x}, {"y": y}, {"ai.onnx.ml": 1, "": 15}, 9)
    path.write_bytes(model.SerializeToString())
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
