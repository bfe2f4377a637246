"""Writes a model of XGBoost as ONNX: trees, dart, forests, linear boosters, categories, vectors in leaves.

Takes what `Booster.save_raw("json")` tells. A split by categories becomes a column that is 1 for rows that go
right and missing where the category is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.ensembles import Ensemble, flagged, labelled, members, valued

LOGISTIC = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
CLASSES = ("multi:softprob", "multi:softmax")
SURE = 1e-6
"""XGBoost takes no probability to be nearer to 0 or 1."""
PLAIN = ("reg:", "rank:", "binary:logitraw")


@dataclass(frozen=True)
class Model:
    """What XGBoost says about a booster, and how it is asked.

    `rounds` are those that predictions use, or None for all; `missing` is a number that stands for no value,
    besides NaN.
    """

    learner: dict[str, Any]
    rounds: int | None = None
    missing: float = float("nan")

    @property
    def objective(self) -> str:
        """Its name."""
        return str(self.learner["objective"]["name"])

    @property
    def width(self) -> int:
        """How many columns it reads."""
        return int(self.learner["learner_model_param"]["num_feature"])

    @property
    def targets(self) -> int:
        """How many values or labels a row has."""
        return int(self.learner["learner_model_param"].get("num_target", 1))

    @property
    def outputs(self) -> int:
        """How many scores a row has."""
        return max(1, int(self.learner["learner_model_param"]["num_class"]), self.targets)

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return self.learner.get("feature_names") or [f"f{at}" for at in range(self.width)]

    @property
    def booster(self) -> dict[str, Any]:
        """The trees, or the weights of a linear booster."""
        booster = self.learner["gradient_booster"]
        found: dict[str, Any] = booster.get("gbtree", booster)["model"]
        return found

    def trees(self) -> Iterator[tuple[int, float, dict[str, Any]]]:
        """The output, the weight and the nodes of every tree in use."""
        held = self.booster
        ends = held["iteration_indptr"]
        used = ends[-1 if self.rounds is None else min(self.rounds, len(ends) - 1)]
        weights = self.learner["gradient_booster"].get("weight_drop") or [1.0] * len(held["trees"])
        yield from islice(zip(held["tree_info"], weights, held["trees"], strict=True), used)

    def base(self) -> Array:
        """The score that every row starts from, [outputs] float64; linear boosters know one alone."""
        told = np.atleast_1d(json.loads(self.learner["learner_model_param"]["base_score"]))
        if "weights" in self.booster:
            told = told[:1]
        if self.objective in LOGISTIC:
            told = np.clip(told, SURE, 1 - SURE)
            told = np.log(told / (1 - told))
        elif self.objective in EXPONENTIAL:
            with np.errstate(divide="ignore"):
                told = np.log(told)
        return np.broadcast_to(told.astype(np.float64), self.outputs)


def written(graph: GraphWriter, model: Model, classes: Array | None) -> Tensors:
    """The model, after `x` float32 [batch, features].

    Args:
        graph: takes the nodes.
        model: what XGBoost tells.
        classes: the labels in the order of the scores, or None if it predicts values.

    Returns:
        The outputs: `label` and `probabilities`, or `value` [batch, 1] or [batch, outputs].
    """
    x = _with_gaps(graph, model.missing)
    value = _converted(graph, (_line if "weights" in model.booster else _forest)(graph, x, model), model)
    if classes is None:
        return valued(graph, value, model.outputs)
    if model.targets == 1:
        return labelled(graph, value, classes)
    return flagged(graph, value, model.targets)


def _with_gaps(graph: GraphWriter, missing: float) -> str:
    """The rows, with NaN where a value is missing."""
    if missing != missing:
        return "x"
    gap = graph.node("Equal", ["x", graph.unnamed(np.float32(missing))])
    return graph.node("Where", [gap, graph.unnamed(np.float32(np.nan)), "x"])


def _line(graph: GraphWriter, x: str, model: Model) -> str:
    """Weights for columns; missing values add nothing."""
    table = np.array(model.booster["weights"], np.float64).reshape(model.width + 1, model.outputs)
    known = graph.node("Where", [graph.node("IsNaN", [x]), graph.unnamed(np.float32(0)), x])
    products = graph.node("MatMul", [known, graph.unnamed(table[:-1].astype(np.float32))])
    return graph.node("Add", [products, graph.unnamed((table[-1] + model.base()).astype(np.float32))])


def _forest(graph: GraphWriter, x: str, model: Model) -> str:
    """The sum of all trees."""
    ensemble = Ensemble(model.width, model.outputs)
    for at, (output, weight, tree) in enumerate(model.trees()):
        _add(ensemble, at, output, weight, tree)
    if not ensemble.nodes:
        raise ConvertError("this XGBoost model has no trees; train it for at least one round")
    wide = ensemble.widened(graph, x, lambda column, sets: _right(graph, x, column, sets))
    return ensemble.sums(graph, wide, model.outputs, [float(value) for value in model.base()])


def _add(ensemble: Ensemble, at: int, output: int, weight: float, tree: dict[str, Any]) -> None:
    """One tree, from its root on; nodes that were pruned are left out."""
    chosen = categories_of(tree)
    waiting = [0]
    while waiting:
        node = waiting.pop()
        left, right = tree["left_children"][node], tree["right_children"][node]
        if left == -1:
            adds = _leaf(tree, node, output)
            ensemble.leaf(at, node, {place: weight * value for place, value in adds.items()})
            continue
        column, border = tree["split_indices"][node], tree["split_conditions"][node]
        if node in chosen:
            column, border = ensemble.column_of(column, chosen[node]), 0.5
        passes_missing = bool(tree["default_left"][node])
        ensemble.branch(at, node, "BRANCH_LT", column, float(border), (left, right), passes_missing)
        waiting += [right, left]


def categories_of(tree: dict[str, Any]) -> dict[int, tuple[int, ...]]:
    """By the number of a node, the categories whose rows go right."""
    rows = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return {node: tuple(tree["categories"][start : start + size]) for node, start, size in rows}


def _leaf(tree: dict[str, Any], node: int, output: int) -> dict[int, float]:
    """What a leaf adds to which outputs."""
    size = int(tree["tree_param"]["size_leaf_vector"])
    if size <= 1:
        return {output: tree["split_conditions"][node]}
    if "leaf_weights" not in tree:
        raise ConvertError(
            "trees of several targets are read as XGBoost 3.2 and newer write them; update XGBoost, "
            "load the model and save it again"
        )
    start = tree["right_children"][node] * size
    return dict(enumerate(tree["leaf_weights"][start : start + size]))


def _right(graph: GraphWriter, x: str, column: int, sets: list[Any]) -> str:
    """For each set of categories 1 where the row's is one of them, NaN where it is missing, else 0."""
    value = graph.node("Gather", [x, graph.unnamed(np.array([column]))], axis=1)
    found = members(graph, graph.node("Floor", [value]), sets)
    return graph.node("Where", [graph.node("IsNaN", [value]), value, found])


def _converted(graph: GraphWriter, raw: str, model: Model) -> str:
    """From raw scores to what XGBoost answers."""
    name = model.objective
    if name in LOGISTIC:
        return graph.node("Sigmoid", [raw])
    if name in CLASSES:
        return graph.node("Softmax", [raw], axis=-1)
    if name in EXPONENTIAL:
        return graph.node("Exp", [raw])
    if name == "binary:hinge":
        above = graph.node("Greater", [raw, graph.unnamed(np.float32(0))])
        return graph.node("Cast", [above], to=TensorProto.FLOAT)
    if not name.startswith(PLAIN):
        raise ConvertError(f"the objective {name!r} of this XGBoost model is not known here")
    return raw
