"""Writes the trees of a LightGBM model as ONNX: every boosting and objective, categories, linear leaves.

Takes what `Booster.dump_model` tells. Inputs are float32, so a border becomes the largest float32 that is not
beyond it; a split by categories becomes a column that is 1 for rows that go left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.boosting import floor32

OPSET, OPSET_ML, IR_VERSION = 21, 3, 10
EXPONENTIAL = ("poisson", "gamma", "tweedie")
PLAIN = (
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"),
    *("custom", ""),
)


def written(dumped: dict[str, Any], classes: Array | None) -> bytes:
    """The model over `x` float32 [batch, features].

    Args:
        dumped: what the booster tells of itself.
        classes: the labels in the order of the scores, or None if it foretells values.

    Returns:
        The ONNX file with `label` and `probabilities`, or `value` [batch, 1] or [batch, outputs].
    """
    width = len(dumped["feature_names"])
    graph = GraphWriter()
    trees = _Trees(width, dumped["num_tree_per_iteration"])
    for at, tree in enumerate(dumped["tree_info"]):
        trees.add(at, tree["tree_structure"])
    raw = _raw(graph, trees, dumped)
    value = _converted(graph, raw, str(dumped.get("objective", "")))
    if classes is None:
        graph.node("Identity", [value], "value")
        outputs: Tensors = {"value": (TensorProto.FLOAT, ["batch", trees.outputs])}
    else:
        outputs = _labelled(graph, value, classes)
    inputs = {"x": (TensorProto.FLOAT, ["batch", width])}
    opsets = {"": OPSET, "ai.onnx.ml": OPSET_ML}
    model = graph.model("lightgbm", inputs, outputs, opsets, IR_VERSION)
    model.producer_name = "sardonyx"
    content: bytes = model.SerializeToString()
    return content


def has_linear_leaves(dumped: dict[str, Any]) -> bool:
    """Whether leaves are linear functions of the inputs."""
    return any(
        "leaf_coeff" in leaf for tree in dumped["tree_info"] for leaf in _leaves(tree["tree_structure"])
    )


def _leaves(node: dict[str, Any]) -> list[dict[str, Any]]:
    waiting, found = [node], []
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            waiting += [node["left_child"], node["right_child"]]
        else:
            found.append(node)
    return found


@dataclass
class _Trees:
    """Attributes of a TreeEnsembleRegressor; `sets` are the categories that a column is 1 for."""

    width: int
    outputs: int
    nodes: dict[str, list[Any]] = field(default_factory=dict)
    targets: dict[str, list[Any]] = field(default_factory=dict)
    sets: dict[tuple[int, tuple[int, ...], bool], int] = field(default_factory=dict)
    is_linear: bool = False

    def add(self, tree: int, structure: dict[str, Any]) -> None:
        """One tree, numbered from its root; children come after their parents."""
        waiting = [(structure, 0)]
        count = 1
        while waiting:
            node, number = waiting.pop()
            if "split_feature" not in node:
                self._node(tree, number, mode="LEAF")
                self._leaf(tree, number, node)
                continue
            column, border, missing, swapped = self._split(node)
            left, right = count, count + 1
            count += 2
            self._node(tree, number, "BRANCH_LEQ", column, border, left, right, missing)
            children = (
                (node["right_child"], node["left_child"])
                if swapped
                else (
                    node["left_child"],
                    node["right_child"],
                )
            )
            waiting += list(zip(children, (left, right), strict=True))

    def _split(self, node: dict[str, Any]) -> tuple[int, float, bool, bool]:
        """The column, its border, where missing values go, and whether left and right are swapped."""
        column, missing = node["split_feature"], node["missing_type"]
        if node["decision_type"] == "==":
            chosen = tuple(int(value) for value in str(node["threshold"]).split("||"))
            key = (column, chosen, missing != "NaN")
            return self.width + self.sets.setdefault(key, len(self.sets)), 0.5, False, True
        border = floor32(float(node["threshold"]))
        if missing == "None":
            return column, border, node["threshold"] >= 0, False
        if missing == "Zero" and node["default_left"] != (node["threshold"] >= 0):
            raise ConvertError(
                "zeros are missing values in this model (zero_as_missing), which trees in ONNX cannot say; "
                "train without it, with NaN where nothing is known"
            )
        return column, border, bool(node["default_left"]), False

    def _node(
        self,
        tree: int,
        number: int,
        mode: str,
        column: int = 0,
        border: float = 0.0,
        left: int = 0,
        right: int = 0,
        missing: bool = False,
    ) -> None:
        row = {
            "treeids": tree,
            "nodeids": number,
            "modes": mode,
            "featureids": column,
            "values": border,
            "truenodeids": left,
            "falsenodeids": right,
            "missing_value_tracks_true": int(missing),
        }
        for name, value in row.items():
            self.nodes.setdefault(f"nodes_{name}", []).append(value)

    def _leaf(self, tree: int, number: int, leaf: dict[str, Any]) -> None:
        """What it adds to its output; of a linear leaf, the constant and a factor for each column."""
        output = tree % self.outputs
        adds = {output: leaf["leaf_value"]}
        if "leaf_coeff" in leaf:
            self.is_linear = True
            adds = {output: leaf["leaf_const"]}
            for column, factor in zip(leaf["leaf_features"], leaf["leaf_coeff"], strict=True):
                place = self.outputs * (1 + column) + output
                adds[place] = adds.get(place, 0.0) + factor
        for place, value in adds.items():
            row = {"treeids": tree, "nodeids": number, "ids": place, "weights": float(value)}
            for name, part in row.items():
                self.targets.setdefault(f"target_{name}", []).append(part)


def _raw(graph: GraphWriter, trees: _Trees, dumped: dict[str, Any]) -> str:
    """The sum of all trees, or their mean: [batch, outputs]."""
    x = graph.node("Concat", ["x", *_chosen(graph, trees)], axis=1) if trees.sets else "x"
    targets = trees.outputs * (1 + trees.width) if trees.is_linear else trees.outputs
    sums = graph.node(
        "TreeEnsembleRegressor", [x], domain="ai.onnx.ml", n_targets=targets, **trees.nodes, **trees.targets
    )
    if trees.is_linear:
        shape = graph.unnamed(np.array([0, 1 + trees.width, trees.outputs]))
        parts = graph.node("Reshape", [sums, shape])
        one = graph.node("Pad", ["x", graph.unnamed(np.array([0, 1, 0, 0])), graph.unnamed(np.float32(1))])
        columns = graph.node("Unsqueeze", [one, graph.unnamed(np.array([2]))])
        products = graph.node("Mul", [parts, columns])
        sums = graph.node("ReduceSum", [products, graph.unnamed(np.array([1]))], keepdims=0)
    if dumped.get("average_output"):
        rounds = len(dumped["tree_info"]) / trees.outputs
        sums = graph.node("Div", [sums, graph.unnamed(np.float32(rounds))])
    return sums


def _chosen(graph: GraphWriter, trees: _Trees) -> list[str]:
    """A column for each set of categories: 1 where the row's category is one of them."""
    zero = graph.unnamed(np.float32(0))
    columns = []
    for column, chosen, is_zero in trees.sets:
        value = graph.node("Gather", ["x", graph.unnamed(np.array([column]))], axis=1)
        known = graph.node("Sub", [value, value])
        missing = graph.node("IsNaN", [known])
        stands_for = zero if is_zero else graph.unnamed(np.float32(-1))
        filled = graph.node("Where", [missing, stands_for, value])
        whole = graph.node(
            "Mul", [graph.node("Floor", [graph.node("Abs", [filled])]), graph.node("Sign", [filled])]
        )
        same = graph.node("Equal", [whole, graph.unnamed(np.array([chosen], np.float32))])
        ones = graph.node("Cast", [same], to=1)
        columns.append(graph.node("ReduceMax", [ones, graph.unnamed(np.array([1]))], keepdims=1))
    return columns


def _converted(graph: GraphWriter, raw: str, objective: str) -> str:
    """From raw scores to what LightGBM answers."""
    name, *settings = objective.split(" ")
    told = dict(setting.partition(":")[::2] for setting in settings)
    if name in ("binary", "multiclassova"):
        steep = graph.unnamed(np.float32(float(told.get("sigmoid", 1))))
        return graph.node("Sigmoid", [graph.node("Mul", [raw, steep])])
    if name == "cross_entropy":
        return graph.node("Sigmoid", [raw])
    if name == "cross_entropy_lambda":
        return graph.node("Softplus", [raw])
    if name == "multiclass":
        return graph.node("Softmax", [raw], axis=-1)
    if name in EXPONENTIAL:
        return graph.node("Exp", [raw])
    if "sqrt" in told:
        return graph.node("Mul", [raw, graph.node("Abs", [raw])])
    if name not in PLAIN:
        raise ConvertError(f"the objective {name!r} of this LightGBM model is not known here")
    return raw


def _labelled(graph: GraphWriter, value: str, classes: Array) -> Tensors:
    """The outputs `label` and `probabilities`."""
    if len(classes) == 2:
        other = graph.node("Sub", [graph.unnamed(np.float32(1)), value])
        value = graph.node("Concat", [other, value], axis=1)
    graph.node("Identity", [value], "probabilities")
    best = graph.node("ArgMax", ["probabilities"], axis=1, keepdims=0)
    is_text = classes.dtype.kind in "OUS"
    labels = [str(label) for label in classes] if is_text else [int(label) for label in classes]
    graph.node(
        "LabelEncoder",
        [best],
        "label",
        domain="ai.onnx.ml",
        keys_int64s=list(range(len(classes))),
        **{"values_strings" if is_text else "values_int64s": labels},
    )
    kind = TensorProto.STRING if is_text else TensorProto.INT64
    return {"label": (kind, ["batch"]), "probabilities": (TensorProto.FLOAT, ["batch", len(classes)])}
