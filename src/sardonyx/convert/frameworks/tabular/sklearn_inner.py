"""Estimators that ask others and say more of it: converters for skl2onnx, which has none or wrong ones."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.ensembles import passed
from sardonyx.convert.frameworks.tabular.sklearn_affine import affine, mapped
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter, whole
from sardonyx.convert.frameworks.tabular.sklearn_functions import formula
from sardonyx.convert.frameworks.tabular.sklearn_margins import is_turned
from sardonyx.convert.frameworks.tabular.sklearn_outputs import (
    OPTIONS,
    finish,
    labels,
    named,
    numbers,
    total,
)
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written

ROUNDING = 2.0**-22
"""How far float32 scores may be below a border that they reach in float64, as those of forests often do."""


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.multiclass import OutputCodeClassifier
    from sklearn.multioutput import ClassifierChain, RegressorChain
    from sklearn.semi_supervised import SelfTrainingClassifier

    return written(
        {
            TransformedTargetRegressor: Writer(_goal_shapes, _goal),
            FixedThresholdClassifier: Writer(_labels, _threshold, OPTIONS),
            TunedThresholdClassifierCV: Writer(_labels, _threshold, OPTIONS),
            SelfTrainingClassifier: Writer(_labels, _same, OPTIONS),
            OutputCodeClassifier: Writer(_labels, _code, OPTIONS),
            ClassifierChain: Writer(_chain_shapes, _chain, OPTIONS),
            RegressorChain: Writer(_chain_shapes, _chain),
        }
    )


def _labels(operator: Any) -> None:
    labels(operator, operator.raw_operator.classes_)


def _asked(scope: Any, container: Any, model: Any, inputs: Any, raw: bool = False) -> list[str]:
    """What another estimator answers: its outputs, with margins for probabilities if these are `raw`."""
    from skl2onnx._parse import _parse_sklearn
    from sklearn.base import is_classifier

    model, last = _own(model)
    if is_classifier(last) and type(last).__name__ != "LinearSVC":
        options = {
            "zipmap": False,
            **({"raw_scores": True} if raw and hasattr(last, "predict_proba") else {}),
        }
        for home in (scope, container):
            home.add_options(id(model), options)
            home.add_options(id(last), options)
    names = [output.full_name for output in _parse_sklearn(scope, model, inputs)]
    if is_turned(last):
        scores, names[1] = names[1], str(scope.get_unique_variable_name("margins"))
        graph = GraphWriter()
        graph.node("Neg", ["wrong"], "right")
        enter(graph, {"wrong": scores, "right": names[1]}, scope, container)
    return names


def _own(model: Any) -> tuple[Any, Any]:
    """A copy of the model, whose options are for it alone, and the step of it that answers."""
    model = copy.copy(model)
    if not hasattr(model, "steps"):
        return model, model
    inner, last = _own(model.steps[-1][1])
    model.steps = [*model.steps[:-1], (model.steps[-1][0], inner)]
    return model, last


def _second(graph: GraphWriter, scores: str) -> str:
    """What is said for the second class of two [batch, 1], of its column or of the only one."""
    return graph.node("Gather", [scores, graph.unnamed(np.array([-1]))], axis=1)


def _wide(graph: GraphWriter, value: str) -> str:
    """Numbers in float64, in columns."""
    number = graph.node("Cast", [value], to=TensorProto.DOUBLE)
    return graph.node("Flatten", [number], axis=1)


def _same(scope: Any, operator: Any, container: Any) -> None:
    label, scores = _asked(scope, container, operator.raw_operator.estimator_, operator.inputs)
    graph = GraphWriter()
    graph.node("Identity", ["label"], "same")
    names = {"label": label, "scores": scores, "same": operator.outputs[0].full_name}
    finish(graph, "scores", names, operator, scope, container)


def _goal_shapes(operator: Any) -> None:
    numbers(operator, operator.raw_operator.transformer_.n_features_in_)


def _goal(scope: Any, operator: Any, container: Any) -> None:
    """The estimator's answer, turned back into what it learned from."""
    from sklearn.preprocessing import FunctionTransformer

    model = operator.raw_operator
    back = model.transformer_
    (answer,) = _asked(scope, container, model.regressor_, operator.inputs)
    graph = GraphWriter()
    value = _wide(graph, "answer")
    if isinstance(back, FunctionTransformer):
        if back.inverse_func is not None:
            value = formula(back.inverse_func, back.inv_kw_args)(graph, value)
    elif type(back).__name__ in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"):
        value = affine(graph, value, *mapped(back.inverse_transform, back.n_features_in_))
    else:
        raise ConvertError(
            f"a goal that {type(back).__name__} changed cannot be turned back in ONNX; scalers and functions "
            "of numpy can be"
        )
    finish(graph, value, {"answer": answer}, operator, scope, container)


def _threshold(scope: Any, operator: Any, container: Any) -> None:
    """The class by a score's border."""
    from skl2onnx.common.data_types import DoubleTensorType

    model, asks = operator.raw_operator, ("predict_proba", "decision_function")
    estimator = getattr(model, "estimator_", model.estimator)
    method = next(ask for ask in asks if model.response_method in ("auto", ask) and hasattr(estimator, ask))
    _, scores = _asked(scope, container, estimator, operator.inputs)
    is_raw = method == "decision_function"
    judged = scores
    if is_raw and hasattr(estimator, "predict_proba"):
        _, judged = _asked(scope, container, estimator, operator.inputs, raw=True)
    border = getattr(model, "best_threshold_", None)
    if border is None:
        border = {"predict_proba": 0.5}.get(method, 0.0) if model.threshold == "auto" else model.threshold
    chosen = getattr(model, "_curve_scorer", None)
    goal = chosen._get_pos_label() if chosen is not None else model.pos_label
    is_first = goal is not None and goal == model.classes_[0]
    graph = GraphWriter()
    score = _wide(graph, "judged")
    if not is_first or is_raw:
        score = _second(graph, score)
    else:
        score = graph.node("Gather", [score, graph.unnamed(np.array([0]))], axis=1)
    if is_first and is_raw:
        score = graph.node("Neg", [score])
    if not isinstance(operator.outputs[-1].type, DoubleTensorType):
        border -= ROUNDING * max(abs(border), 1)
    place = passed(graph, score, np.float64(border), "GreaterOrEqual")
    named(graph, place, model.classes_[::-1] if is_first else model.classes_, "label")
    names = {"judged": judged, "scores": scores, "label": operator.outputs[0].full_name}
    finish(graph, "scores", names, operator, scope, container)


def _code(scope: Any, operator: Any, container: Any) -> None:
    """The class whose code is nearest to what the estimators say."""
    from sklearn.base import is_regressor

    model, graph, names, said = operator.raw_operator, GraphWriter(), {}, []
    kept: list[int] = []
    for at, estimator in enumerate(model.estimators_):
        if type(estimator).__name__ == "_ConstantPredictor":
            continue  # all codes are as far from what it says
        kept.append(at)
        outputs = _asked(
            scope, container, estimator, operator.inputs, raw=hasattr(estimator, "decision_function")
        )
        names[f"said{at}"] = outputs[-1]
        scores = _wide(graph, f"said{at}")
        said.append(scores if is_regressor(estimator) else _second(graph, scores))
    rows = graph.node("Unsqueeze", [graph.node("Concat", said, axis=1), graph.unnamed(np.array([1]))])
    apart = graph.node("Sub", [rows, graph.unnamed(np.asarray(model.code_book_, np.float64)[None, :, kept])])
    far = graph.node(
        "Squeeze", [total(graph, graph.node("Mul", [apart, apart]), 2), graph.unnamed(np.array([2]))]
    )
    named(graph, graph.node("ArgMin", [far], axis=1, keepdims=0), model.classes_, "label")
    names["label"] = operator.outputs[0].full_name
    finish(graph, graph.node("Neg", [far]), names, operator, scope, container)


def _chain_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType

    model = operator.raw_operator
    if hasattr(model, "classes_"):
        rows = operator.inputs[0].get_first_dimension()
        operator.outputs[0].type = Int64TensorType([rows, len(model.estimators_)])
    numbers(operator, len(model.estimators_))


def _chain(scope: Any, operator: Any, container: Any) -> None:
    """Each estimator reads what those before it answered behind the columns."""
    from skl2onnx.common.data_types import DoubleTensorType

    model, last = operator.raw_operator, operator.outputs[-1]
    method = getattr(model, "chain_method_", "predict")
    is_wide = isinstance(last.type, DoubleTensorType)
    kind = TensorProto.DOUBLE if is_wide else TensorProto.FLOAT
    start = GraphWriter()
    given, names = whole(start, operator, kind)
    start.node("Identity", [given], "given")
    width = model.n_features_in_
    behind = scope.declare_local_variable("chained", type(last.type)([None, width]))
    enter(start, {**names, "given": behind.full_name}, scope, container)
    found: list[list[str]] = []
    for estimator in model.estimators_:
        width += 1
        found.append(_asked(scope, container, estimator, [behind]))
        link = GraphWriter()
        fed = found[-1][0]
        value = _wide(link, "said")
        if method != "predict":
            is_raw = method == "decision_function"
            answers = _asked(scope, container, estimator, [behind], raw=True) if is_raw else found[-1]
            fed = answers[-1]
            value = _second(link, value)
        number = link.node("Cast", [value], to=kind)
        link.node("Concat", ["before", number], "after", axis=1)
        longer = scope.declare_local_variable("chained", type(last.type)([None, width]))
        enter(link, {"said": fed, "before": behind.full_name, "after": longer.full_name}, scope, container)
        behind = longer
    _links(scope, operator, container, found)


def _links(scope: Any, operator: Any, container: Any, found: list[list[str]]) -> None:
    """The answers of a chain in the order of its labels."""
    graph, names = GraphWriter(), {}
    order = np.argsort(operator.raw_operator.order_)
    sides = []
    for side in range(len(operator.outputs)):
        parts = []
        for at in order:
            names[f"{side} of {at}"] = found[at][side]
            value = _wide(graph, f"{side} of {at}")
            parts.append(_second(graph, value))
        sides.append(graph.node("Concat", parts, axis=1))
    if len(sides) > 1:
        graph.node("Cast", [sides[0]], "label", to=TensorProto.INT64)
        names["label"] = operator.outputs[0].full_name
    finish(graph, sides[-1], names, operator, scope, container)
