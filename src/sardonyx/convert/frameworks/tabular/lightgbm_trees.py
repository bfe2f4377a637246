"""Writes the trees of a LightGBM model as ONNX: every boosting and objective, categories, linear leaves.

Takes what `Booster.dump_model` tells. Where inputs are float32, a border becomes the largest float32 that
is not beyond it; a split by categories becomes a column that is 1 for rows that go left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.ensembles import Ensemble, labelled, members, valued

ZERO = 1e-35
EXPONENTIAL = ("poisson", "gamma", "tweedie")
PLAIN = (
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"),
    *("custom", ""),
)


def written(
    graph: GraphWriter,
    dumped: dict[str, Any],
    classes: Array | None,
    *,
    is_raw: bool = False,
    double: bool = False,
) -> Tensors:
    """The model, after `x` [batch, features], float32 or float64.

    Args:
        graph: takes the nodes.
        dumped: the booster as its own JSON dump.
        classes: the labels in the order of the scores, or None if it predicts values.
        is_raw: the scores stand as they are where probabilities would.
        double: `x` is float64.

    Returns:
        The outputs: `label` and `probabilities`, or `value` [batch, 1] or [batch, outputs].
    """
    trees = _Trees(len(dumped["feature_names"]), dumped["num_tree_per_iteration"], double=double)
    for at, tree in enumerate(dumped["tree_info"]):
        trees.add(at, tree["tree_structure"])
    raw = _raw(graph, trees, dumped)
    value = raw if is_raw else _converted(graph, raw, str(dumped.get("objective", "")))
    if classes is None:
        return valued(graph, value, trees.outputs)
    return labelled(graph, value, classes, total=0 if is_raw else 1)


@dataclass
class _Trees(Ensemble):
    """The trees; `is_linear` says that leaves have factors, `zeros` in which columns zeros are missing."""

    is_linear: bool = False
    zeros: set[int] = field(default_factory=set)

    def add(self, tree: int, structure: dict[str, Any]) -> None:
        """One tree, numbered from its root; children come after their parents."""
        waiting = [(structure, 0)]
        count = 1
        while waiting:
            node, number = waiting.pop()
            if "split_feature" not in node:
                count = self._ends(tree, number, node, count)
                continue
            column, border, missing, swapped = self._split(node)
            first, second = count, count + 1
            count += 2
            self.branch(tree, number, "BRANCH_LEQ", column, border, (first, second), missing)
            left, right = (second, first) if swapped else (first, second)
            waiting += [(node["left_child"], left), (node["right_child"], right)]

    def _split(self, node: dict[str, Any]) -> tuple[int, float, bool, bool]:
        """The column, its border, where missing values go, and whether left and right are swapped."""
        column, missing = node["split_feature"], node["missing_type"]
        if node["decision_type"] == "==":
            chosen = tuple(int(value) for value in str(node["threshold"]).split("||"))
            return self.column_of(column, chosen), 0.5, False, True
        border = self.border(float(node["threshold"]))
        if missing == "None":
            return column, border, node["threshold"] >= 0, False
        if missing == "Zero" and node["default_left"] != (node["threshold"] >= 0):
            self.zeros.add(column)
        return column, border, bool(node["default_left"]), False

    def _ends(self, tree: int, number: int, leaf: dict[str, Any], count: int) -> int:
        """A leaf; a linear one only if none of its columns is missing, else its plain value."""
        plain = {tree % self.outputs: leaf["leaf_value"]}
        for column in dict.fromkeys(leaf.get("leaf_features", ())):
            self.branch(tree, number, "BRANCH_LEQ", column, np.inf, (count, count + 1), False)
            self.leaf(tree, count + 1, plain)
            number, count = count, count + 2
        self.leaf(tree, number, self._adds(tree, leaf))
        return count

    def _adds(self, tree: int, leaf: dict[str, Any]) -> dict[int, float]:
        """What it adds to its output; of a linear leaf, the constant and a factor for each column."""
        output = tree % self.outputs
        if "leaf_coeff" not in leaf:
            return {output: leaf["leaf_value"]}
        self.is_linear = True
        adds = {output: leaf["leaf_const"]}
        for column, factor in zip(leaf["leaf_features"], leaf["leaf_coeff"], strict=True):
            place = self.outputs * (1 + column) + output
            adds[place] = adds.get(place, 0.0) + factor
        return adds


def _raw(graph: GraphWriter, trees: _Trees, dumped: dict[str, Any]) -> str:
    """The sum of all trees, or their mean: [batch, outputs]."""
    floats = graph.node("Cast", ["x"], to=TensorProto.FLOAT) if trees.double else "x"

    def columns(column: int, sets: list[Any]) -> str:
        found = _chosen(graph, floats, column, sets)
        return graph.node("Cast", [found], to=TensorProto.DOUBLE) if trees.double else found

    x = trees.widened(graph, _without_zeros(graph, trees), columns)
    targets = trees.outputs * (1 + trees.width) if trees.is_linear else trees.outputs
    sums = trees.sums(graph, x, targets)
    if trees.is_linear:
        shape = graph.unnamed(np.array([0, 1 + trees.width, trees.outputs]))
        parts = graph.node("Reshape", [sums, shape])
        one = graph.node("Pad", [floats, graph.unnamed(np.array([0, 1, 0, 0])), graph.unnamed(np.float32(1))])
        factors = graph.node("Unsqueeze", [one, graph.unnamed(np.array([2]))])
        zero = graph.unnamed(np.float32(0))
        products = graph.node("Mul", [parts, factors])
        is_used = graph.node("Not", [graph.node("Equal", [parts, zero])])
        products = graph.node("Where", [is_used, products, zero])
        sums = graph.node("ReduceSum", [products, graph.unnamed(np.array([1]))], keepdims=0)
    if dumped.get("average_output"):
        rounds = len(dumped["tree_info"]) / trees.outputs
        sums = graph.node("Div", [sums, graph.unnamed(np.float32(rounds))])
    return sums


def _without_zeros(graph: GraphWriter, trees: _Trees) -> str:
    """`x` with NaN for the zeros that are missing values."""
    if not trees.zeros:
        return "x"
    number = np.float64 if trees.double else np.float32
    is_column = np.isin(np.arange(trees.width), list(trees.zeros))
    is_zero = graph.node("LessOrEqual", [graph.node("Abs", ["x"]), graph.unnamed(number(ZERO))])
    is_missing = graph.node("And", [is_zero, graph.unnamed(is_column)])
    return graph.node("Where", [is_missing, graph.unnamed(number(np.nan)), "x"])


def _chosen(graph: GraphWriter, floats: str, column: int, sets: list[Any]) -> str:
    """A column for each set of categories: 1 where the row's category is one of them."""
    value = graph.node("Gather", [floats, graph.unnamed(np.array([column]))], axis=1)
    finite = graph.node("Sub", [value, value])
    missing = graph.node("IsNaN", [finite])
    return members(graph, graph.node("Where", [missing, graph.unnamed(np.float32(-1)), value]), sets)


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
