"""Writes the trees of a CatBoost model as ONNX: symmetric or not, of any number of values in a leaf.

Takes what CatBoost saves as JSON. Columns are float32 to CatBoost, as its borders are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter, Tensors
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.ensembles import Ensemble, flagged, labelled, valued

ROWS = "features"
EXPONENTIAL = ("Poisson", "Tweedie")
UNCERTAIN = "RMSEWithUncertainty"
TOGETHER = "MultiClass"
SEVERAL = ("MultiLogloss", "MultiCrossEntropy")
CLASSIFYING = ("Logloss", "CrossEntropy", "Focal", TOGETHER, "MultiClassOneVsAll", *SEVERAL)


@dataclass(frozen=True)
class Model:
    """What CatBoost says about a model, and the name of its loss without parameters."""

    saved: dict[str, Any]
    loss: str

    @property
    def bias(self) -> list[float]:
        """What is added to each score; there are as many as scores."""
        return [float(value) for value in self.saved["scale_and_bias"][1]]

    @property
    def is_classifier(self) -> bool:
        """Whether it answers with labels and probabilities."""
        return self.loss in CLASSIFYING or "class_params" in self.saved["model_info"]

    @property
    def prediction(self) -> str:
        """The kind of answer that the estimator of this loss gives."""
        if self.loss in EXPONENTIAL:
            return "Exponent"
        return UNCERTAIN if self.loss == UNCERTAIN else "RawFormulaVal"

    @property
    def border(self) -> float | None:
        """The probability above which the second of two classes is the label, if one was set."""
        told = self.saved["model_info"].get("binclass_probability_threshold")
        return None if told is None else float(told)

    @property
    def is_of_several_labels(self) -> bool:
        """Whether a row has more labels than one."""
        return self.loss in SEVERAL


def written(graph: GraphWriter, model: Model, classes: Array, width: int) -> Tensors:
    """The model, after the rows, float32 [batch, width].

    Returns:
        The outputs: `label` and `probabilities`, or `value` [batch, outputs].
    """
    raw = _forest(graph, model, width)
    if not model.is_classifier:
        return valued(graph, _converted(graph, raw, model.loss), len(model.bias))
    together = model.loss == TOGETHER
    value = graph.node("Softmax", [raw], axis=-1) if together else graph.node("Sigmoid", [raw])
    if not model.is_of_several_labels:
        return labelled(graph, value, classes, border=model.border)
    return flagged(graph, value, len(model.bias))


def _forest(graph: GraphWriter, model: Model, width: int) -> str:
    """The sum of all trees, and the bias."""
    scale, bias = float(model.saved["scale_and_bias"][0]), model.bias
    passing = [
        (column["flat_feature_index"], column["nan_value_treatment"] == "AsTrue")
        for column in model.saved["features_info"]["float_features"]
    ]
    ensemble = Ensemble(width, len(bias))
    for at, tree in enumerate(model.saved.get("oblivious_trees", ())):
        _add(ensemble, at, _unfolded(tree, len(bias)), passing, scale)
    for at, tree in enumerate(model.saved.get("trees", ())):
        _add(ensemble, at, tree, passing, scale)
    if not ensemble.nodes:
        raise ConvertError("this CatBoost model has no trees; train it for at least one round")
    return ensemble.sums(graph, ROWS, len(bias), bias)


def _unfolded(tree: dict[str, Any], outputs: int) -> dict[str, Any]:
    """A symmetric tree as nodes: the first split decides the lowest bit of the place of a leaf."""
    values = np.reshape(tree["leaf_values"], (-1, outputs))
    nodes: list[dict[str, Any]] = [{"value": row} for row in values]
    for split in reversed(tree.get("splits") or ()):
        half = len(nodes) // 2
        pairs = zip(nodes[:half], nodes[half:], strict=True)
        nodes = [{"left": left, "right": right, "split": split} for left, right in pairs]
    (root,) = nodes
    return root


def _add(
    ensemble: Ensemble, at: int, tree: dict[str, Any], passing: list[tuple[int, bool]], scale: float
) -> None:
    """One tree, numbered from its root; `passing` are columns, and whether missing values pass borders."""
    waiting, count = [(tree, 0)], 1
    while waiting:
        node, number = waiting.pop()
        if "split" not in node:
            values = np.atleast_1d(node["value"])
            ensemble.leaf(at, number, {place: scale * value for place, value in enumerate(values)})
            continue
        split, above, below = node["split"], count, count + 1
        count += 2
        column, passes_missing = passing[split["float_feature_index"]]
        children = (above, below)
        ensemble.branch(at, number, "BRANCH_GT", column, float(split["border"]), children, passes_missing)
        waiting += [(node["left"], below), (node["right"], above)]


def _converted(graph: GraphWriter, raw: str, loss: str) -> str:
    """From raw values to what the estimator predicts."""
    if loss in EXPONENTIAL:
        return graph.node("Exp", [raw])
    if loss != UNCERTAIN:
        return raw
    mean, deviation = (graph.node("Gather", [raw, graph.unnamed(np.array([at]))], axis=1) for at in (0, 1))
    doubled = graph.node("Mul", [deviation, graph.unnamed(np.float32(2))])
    return graph.node("Concat", [mean, graph.node("Exp", [doubled])], axis=1)
