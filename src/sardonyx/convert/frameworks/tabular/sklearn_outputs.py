"""Converters for skl2onnx of estimators that a formula in float64 says: of their columns, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter, whole
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer

Numbers = Callable[[GraphWriter, Any, str], str]
"""What a model answers [batch, width], as nodes: of a graph, the model, and its columns float64."""
Decides = Callable[[GraphWriter, Any, str], tuple[str, str]]
"""The same of a model that decides: which class or cluster [batch], and scores [batch, width]."""
OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False]}


def answering(width: Callable[[Any], int], write: Numbers) -> Writer:
    """A converter of models that answer so many numbers a row."""

    def shapes(operator: Any) -> None:
        numbers(operator, width(operator.raw_operator))

    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph = GraphWriter()
        given, names = whole(graph, operator, TensorProto.DOUBLE)
        answer = write(graph, operator.raw_operator, given)
        finish(graph, answer, names, operator, scope, container)

    return Writer(shapes, convert, parser=_one)


def deciding(classes: Callable[[Any], Array], write: Decides, width: int | None = None) -> Writer:
    """A converter of models that decide for one of these classes; scores are for each, or so many."""

    def shapes(operator: Any) -> None:
        labels(operator, classes(operator.raw_operator), width)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph, model = GraphWriter(), operator.raw_operator
        given, names = whole(graph, operator, TensorProto.DOUBLE)
        place, scores = write(graph, model, given)
        named(graph, place, classes(model), "label")
        names["label"] = operator.outputs[0].full_name
        finish(graph, scores, names, operator, scope, container)

    return Writer(shapes, convert)


def classifying(write: Decides) -> Writer:
    """A converter of classifiers."""
    return replace(deciding(lambda model: model.classes_, write), options=OPTIONS)


def _one(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """One output, whatever kind of estimator it is."""
    from skl2onnx._supported_operators import sklearn_operator_name_map as known
    from skl2onnx.common.data_types import guess_tensor_type

    operator = scope.declare_local_operator(known[type(model)], model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("variable", guess_tensor_type(inputs[0].type)))
    return operator.outputs


def numbers(operator: Any, width: int) -> None:
    """Say that the last output is floats, float64 if the operator is given any."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    is_wide = any(isinstance(value.type, DoubleTensorType) for value in operator.inputs)
    kind = DoubleTensorType if is_wide else FloatTensorType
    operator.outputs[-1].type = kind([operator.inputs[0].get_first_dimension(), width])


def labels(operator: Any, classes: Array, width: int | None = None) -> None:
    """Say that the first output is of these classes, and the second a number for each, or so many."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    kind = StringTensorType if classes.dtype.kind in "OUS" else Int64TensorType
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension()])
    numbers(operator, width or len(classes))


def best(graph: GraphWriter, scores: str) -> str:
    """Where each row of scores [batch, width] is highest, the first place of several."""
    return graph.node("ArgMax", [scores], axis=1, keepdims=0)


def named(graph: GraphWriter, place: str, classes: Array, output: str = "") -> str:
    """The classes at these places."""
    is_text = classes.dtype.kind in "OUS"
    known = [str(label) for label in classes] if is_text else [int(label) for label in classes]
    return graph.node(
        "LabelEncoder",
        [place],
        output,
        domain="ai.onnx.ml",
        keys_int64s=list(range(len(classes))),
        **{"values_strings" if is_text else "values_int64s": known},
    )


def finish(
    graph: GraphWriter, answer: str, names: dict[str, str], operator: Any, scope: Any, container: Any
) -> None:
    """Enter the graph, whose answer becomes the last output in the type that it was said to have."""
    from skl2onnx.common.data_types import DoubleTensorType

    last = operator.outputs[-1]
    is_wide = isinstance(last.type, DoubleTensorType)
    graph.node("Cast", [answer], "y", to=TensorProto.DOUBLE if is_wide else TensorProto.FLOAT)
    enter(graph, {**names, "y": last.full_name}, scope, container)


def total(graph: GraphWriter, value: str, axis: int) -> str:
    """The sum over an axis, which stays with size 1."""
    return graph.node("ReduceSum", [value, graph.unnamed(np.array([axis]))], keepdims=1)


def lowest(graph: GraphWriter, value: str, count: int) -> str:
    """Where the lowest `count` numbers of each row are, lowest first: [batch, count]."""
    _, places = graph.several(
        "TopK", [value, graph.unnamed(np.array([count]))], [f"{value} lowest", f"{value} places"], largest=0
    )
    return places
