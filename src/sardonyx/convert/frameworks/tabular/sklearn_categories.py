"""Histogram gradient boosting with native categories, or behind float64: a converter for skl2onnx.

Its own ignores categories, and compares float64 with borders rounded to float32.

Each split by a set of categories becomes a column that is 0 for rows that go left and 1 for the others,
looked up by the category's number; the trees then compare numbers alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.boosting import floor32
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written

BITS = 32


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts such models right."""
    from skl2onnx.operator_converters import random_forest
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False]}
    classifier = random_forest.convert_sklearn_random_forest_classifier
    regressor = random_forest.convert_sklearn_random_forest_regressor_converter
    return written(
        {
            HistGradientBoostingClassifier: Writer(shapes, _converter(classifier), options),
            HistGradientBoostingRegressor: Writer(shapes, _converter(regressor)),
        }
    )


def shapes(operator: Any) -> None:
    """Types and shapes of the outputs; inputs may be columns of any types."""
    from skl2onnx.common import data_types

    model, rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    if not hasattr(model, "classes_"):
        operator.outputs[0].type = data_types.FloatTensorType([rows, 1])
        return
    is_text = isinstance(model.classes_[0], str)
    label = data_types.StringTensorType if is_text else data_types.Int64TensorType
    operator.outputs[0].type = label([rows])
    operator.outputs[1].type = data_types.FloatTensorType([rows, len(model.classes_)])


def _converter(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        model = operator.raw_operator
        is_wide = any(isinstance(value.type, DoubleTensorType) for value in operator.inputs)
        if getattr(model, "is_categorical_", None) is None and not is_wide:
            original(scope, operator, container)
        else:
            _Writer(scope, operator, container, is_wide).write(model)

    return convert


@dataclass
class _Trees:
    """The attributes of a TreeEnsembleRegressor, node by node."""

    nodes: dict[str, list[Any]] = field(default_factory=dict)
    leaves: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Of nodes so far."""
        return len(self.nodes.get("nodes_treeids", ()))

    def add(self, leaf: float | None, tree: int, target: int, **node: Any) -> None:
        """A node, with its weight if it is a leaf."""
        for key, value in {**node, "treeids": tree}.items():
            self.nodes.setdefault(f"nodes_{key}", []).append(value)
        if leaf is not None:
            row = {"treeids": tree, "nodeids": node["nodeids"], "ids": target, "weights": float(leaf)}
            for key, value in row.items():
                self.leaves.setdefault(f"target_{key}", []).append(value)


class _Writer:
    """Writes one model's nodes into a container of skl2onnx."""

    def __init__(self, scope: Any, operator: Any, container: Any, is_wide: bool = False) -> None:
        self.scope, self.operator, self.container, self.is_wide = scope, operator, container, is_wide

    def node(
        self,
        kind: str,
        inputs: list[str],
        output: str = "",
        /,
        domain: str = "",
        version: int = 13,
        **attributes: Any,
    ) -> str:
        """A node of one output, whose name it gives: a new one if none is named."""
        output = output or str(self.scope.get_unique_variable_name(kind.lower()))
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(
            kind, inputs, [output], op_domain=domain, op_version=version, name=name, **attributes
        )
        return output

    def constant(self, array: Array) -> str:
        """An initialiser."""
        from skl2onnx.proto import onnx_proto

        types = {"f": onnx_proto.TensorProto.FLOAT, "i": onnx_proto.TensorProto.INT64}
        name = str(self.scope.get_unique_variable_name("constant"))
        self.container.add_initializer(name, types[array.dtype.kind], array.shape, array.ravel().tolist())
        return name

    def write(self, model: Any) -> None:
        """The whole model: features, trees, link, labels."""
        border = float if self.is_wide else floor32
        if getattr(model, "is_categorical_", None) is None:
            _, trees = _planned(model, model.n_features_in_, [], border)
            features = joined(self.scope, self.operator, self.container, self.is_wide)
        else:
            features, trees = self.with_categories(model, border)
        raw = self.node(
            "TreeEnsembleRegressor",
            [features],
            domain="ai.onnx.ml",
            version=3,
            n_targets=model.n_trees_per_iteration_,
            base_values=[float(value) for value in np.ravel(model._baseline_prediction)],
            **(_wide({**trees.nodes, **trees.leaves}) if self.is_wide else {**trees.nodes, **trees.leaves}),
        )
        self.finish(model, raw)

    def with_categories(self, model: Any, border: Callable[[float], float]) -> tuple[str, _Trees]:
        """The columns that the trees compare, those for sets of categories the last, and the trees."""
        encoder = model._preprocessor.named_transformers_["encoder"]
        chosen = np.flatnonzero(model.is_categorical_)
        numeric = np.flatnonzero(~model.is_categorical_)
        tables, trees = _planned(model, len(numeric), encoder.categories_, border)
        kind = TensorProto.DOUBLE if self.is_wide else TensorProto.FLOAT
        parts = [self.column(int(at)) for at in numeric]
        for at, categories, table in zip(chosen, encoder.categories_, tables, strict=True):
            if table.shape[1]:
                codes = self.codes(self.column(int(at)), categories)
                parts.append(self.node("Gather", [self.constant(table), codes], axis=0))
        if self.is_wide:
            parts = [self.node("Cast", [part], to=kind) for part in parts]
        return self.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0], trees

    def column(self, at: int) -> str:
        """Column `at` of the inputs, [N, 1]: of a matrix, or an input of its own."""
        for value in self.operator.inputs:
            width = value.type.shape[1]
            if at < width:
                if width == 1:
                    return str(value.full_name)
                return self.node("Gather", [value.full_name, self.constant(np.array([at]))], axis=1)
            at -= width
        raise ConvertError("the model reads more columns than it is given")

    def codes(self, column: str, categories: Array) -> str:
        """The number of each row's category, [N]; one beyond the last if it is missing or unknown."""
        known = [value for value in categories if value is not None and value == value]
        keys: dict[str, Any] = (
            {"keys_strings": [str(value) for value in known]}
            if any(isinstance(value, str) for value in known)
            else {"keys_floats": [float(value) for value in known]}
        )
        encoded = self.node(
            "LabelEncoder",
            [column],
            domain="ai.onnx.ml",
            version=2,
            values_int64s=list(range(len(known))),
            default_int64=len(known),
            **keys,
        )
        return self.node("Reshape", [encoded, self.constant(np.array([-1]))])

    def finish(self, model: Any, raw: str) -> None:
        """Link and labels."""
        outputs = [value.full_name for value in self.operator.outputs]
        if not hasattr(model, "classes_"):
            link = type(model._loss.link).__name__
            if link not in ("IdentityLink", "LogLink"):
                raise ConvertError(f"the loss {model.loss} has a link ({link}) that is not known here")
            self.node("Exp" if link == "LogLink" else "Identity", [raw], outputs[0])
            return
        if model.n_trees_per_iteration_ == 1:
            one = self.node("Sigmoid", [raw])
            other = self.node("Sub", [self.constant(np.array([1.0], np.float32)), one])
            self.node("Concat", [other, one], outputs[1], axis=1)
        else:
            self.node("Softmax", [raw], outputs[1], axis=1)
        best = self.node("ArgMax", [outputs[1]], axis=1, keepdims=0)
        classes = list(model.classes_)
        if all(isinstance(label, str) for label in classes):
            values: dict[str, Any] = {"values_strings": [str(label) for label in classes]}
        else:
            values = {"values_int64s": [int(label) for label in classes]}
        keys = {"keys_int64s": list(range(len(classes)))}
        self.node("LabelEncoder", [best], outputs[0], domain="ai.onnx.ml", version=2, **keys, **values)


def joined(scope: Any, operator: Any, container: Any, is_wide: bool) -> str:
    """All inputs side by side, as float64 or float32."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.operator_converters.common import concatenate_variables

    wanted = DoubleTensorType if is_wide else FloatTensorType
    if len(operator.inputs) == 1 and isinstance(operator.inputs[0].type, wanted):
        return str(operator.inputs[0].full_name)
    whole = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        whole = concatenate_variables(scope, operator.inputs, container)
    made = str(scope.get_unique_variable_name("joined"))
    kind = TensorProto.DOUBLE if is_wide else TensorProto.FLOAT
    name = scope.get_unique_operator_name("Cast")
    container.add_node("Cast", [whole], [made], op_version=13, name=name, to=kind)
    return made


def _wide(facts: dict[str, list[Any]]) -> dict[str, Any]:
    """The attributes of trees with borders and weights in float64."""
    names = ("nodes_values", "target_weights")
    tensors = {
        f"{name}_as_tensor": numpy_helper.from_array(np.array(facts[name], np.float64)) for name in names
    }
    return {**{name: value for name, value in facts.items() if name not in names}, **tensors}


def _planned(
    model: Any, numeric: int, categories: list[Array], border: Callable[[float], float] = floor32
) -> tuple[list[Array], _Trees]:
    """For each categorical feature a table [categories + 1, splits], and the trees over all columns."""
    sizes = [sum(value is not None and value == value for value in known) for known in categories]
    splits: list[list[Array]] = [[] for _ in categories]
    by_sets: dict[int, tuple[int, int]] = {}
    trees = _Trees()
    for round_at, group in enumerate(model._predictors):
        for target, predictor in enumerate(group):
            for at, node in enumerate(predictor.nodes):
                if not node["is_leaf"] and node["is_categorical"]:
                    feature = int(node["feature_idx"])
                    bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
                    by_sets[trees.count] = feature, len(splits[feature])
                    splits[feature].append(_right(bits, sizes[feature], node))
                tree = round_at * model.n_trees_per_iteration_ + target
                _add(trees, node, at, tree, target, len(categories), border)
    starts = numeric + np.cumsum([0, *(len(rows) for rows in splits)])
    for place, (feature, split) in by_sets.items():
        trees.nodes["nodes_featureids"][place] = int(starts[feature] + split)
    tables = [
        np.stack(rows, 1) if rows else np.zeros((size + 1, 0), np.float32)
        for rows, size in zip(splits, sizes, strict=True)
    ]
    return tables, trees


def _right(bits: Array, size: int, node: Any) -> Array:
    """For each category and for a missing one: 1 if such rows go right, else 0."""
    left = [bool(bits[code // BITS] >> np.uint32(code % BITS) & np.uint32(1)) for code in range(size)]
    return np.array([not go for go in (*left, bool(node["missing_go_to_left"]))], np.float32)


def _add(
    trees: _Trees,
    node: Any,
    at: int,
    tree: int,
    target: int,
    categorical: int,
    border: Callable[[float], float],
) -> None:
    is_leaf = bool(node["is_leaf"])
    by_set = not is_leaf and bool(node["is_categorical"])
    trees.add(
        float(node["value"]) if is_leaf else None,
        tree,
        target,
        nodeids=at,
        modes="LEAF" if is_leaf else "BRANCH_LEQ",
        featureids=0 if is_leaf or by_set else int(node["feature_idx"]) - categorical,
        values=0.5 if by_set else 0.0 if is_leaf else border(float(node["num_threshold"])),
        truenodeids=0 if is_leaf else int(node["left"]),
        falsenodeids=0 if is_leaf else int(node["right"]),
        missing_value_tracks_true=int(not is_leaf and bool(node["missing_go_to_left"])),
        hitrates=1.0,
    )
