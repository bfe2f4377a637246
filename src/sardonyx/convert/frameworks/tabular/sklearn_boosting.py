"""LightGBM and XGBoost inside pipelines of scikit-learn: converters for skl2onnx that use our own writers.

Decides how nodes of a graph writer enter the container of skl2onnx; the writers decide which nodes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular import lightgbm, lightgbm_trees, xgboost, xgboost_trees
from sardonyx.convert.frameworks.tabular.ensembles import OPSET_ML
from sardonyx.convert.frameworks.tabular.sklearn_categories import joined, shapes
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written

Write = Callable[[GraphWriter, Any, bool, bool], Any]
VERSIONS = {"ai.onnx.ml": OPSET_ML, "com.microsoft": 1}
ESTIMATORS = {
    "lightgbm": ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"),
    "xgboost": ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor"),
}


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts the estimators of the libraries that are installed."""
    writers = {}
    for package, write, is_wide in (("lightgbm", _lightgbm, True), ("xgboost", _xgboost, False)):
        if importlib.util.find_spec(package) is None:
            continue
        for name in ESTIMATORS[package]:
            kind = getattr(importlib.import_module(package), name)
            options: dict[str, Any] = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
            if hasattr(kind, "decision_function"):
                options["raw_scores"] = [True, False]
            told = options if hasattr(kind, "predict_proba") else None
            writers[kind] = Writer(shapes, _converter(write, is_wide), told)
    return written(writers)


def _lightgbm(graph: GraphWriter, model: Any, is_raw: bool, double: bool) -> None:
    dumped = model.booster_.dump_model()
    lightgbm_trees.written(graph, dumped, lightgbm.classes(model, dumped), is_raw=is_raw, double=double)


def _xgboost(graph: GraphWriter, model: Any, is_raw: bool, double: bool) -> None:
    facts = xgboost.described(model)
    xgboost_trees.written(graph, facts, xgboost.classes(model, facts))


def _converter(write: Write, is_wide: bool) -> Any:
    """`is_wide` says that the library compares in float64, if it is given that."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        graph = GraphWriter()
        model = operator.raw_operator
        asked = scope.get_options(model, {"raw_scores": False}) if hasattr(model, "decision_function") else {}
        double = is_wide and any(isinstance(value.type, DoubleTensorType) for value in operator.inputs)
        write(graph, model, asked.get("raw_scores", False), double)
        outputs = [value.full_name for value in operator.outputs]
        names = dict(
            zip(("label", "probabilities") if len(outputs) > 1 else ("value",), outputs, strict=True)
        )
        enter(graph, {"x": joined(scope, operator, container, double), **names}, scope, container)

    return convert


def whole(graph: GraphWriter, operator: Any, kind: int) -> tuple[str, dict[str, str]]:
    """All columns that an operator takes as one tensor of a type, and what the outside calls its inputs."""
    names = {f"x{at}": value.full_name for at, value in enumerate(operator.inputs)}
    numbers = [graph.node("Cast", [name], to=kind) for name in names]
    return graph.node("Concat", numbers, axis=1) if len(numbers) > 1 else numbers[0], names


def enter(graph: GraphWriter, names: dict[str, str], scope: Any, container: Any) -> None:
    """Give the container the nodes and constants; `names` are those that the outside knows."""
    from onnx import TensorProto, helper

    for tensor in graph.constants:
        names[tensor.name] = str(scope.get_unique_variable_name(tensor.name))
        if tensor.string_data:
            facts = TensorProto.STRING, list(tensor.dims), list(tensor.string_data)
            container.add_initializer(names[tensor.name], *facts)
        else:
            container.add_initializer(names[tensor.name], None, None, tensor)
    for node in graph.nodes:
        for output in node.output:
            names.setdefault(output, str(scope.get_unique_variable_name(output)))
        container.add_node(
            node.op_type,
            [names[name] for name in node.input],
            [names[name] for name in node.output],
            op_domain=node.domain,
            op_version=VERSIONS.get(node.domain) or container.target_opset_any_domain(""),
            name=scope.get_unique_operator_name(node.op_type),
            **{row.name: helper.get_attribute_value(row) for row in node.attribute},
        )
