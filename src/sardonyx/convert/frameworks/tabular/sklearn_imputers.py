"""Imputers that tell what was missing (`add_indicator`), or of texts: a converter for skl2onnx.

Its own leaves out what is told, and knows no missing text. ONNX has the empty text for one.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter, whole
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, original, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.impute import MissingIndicator, SimpleImputer

    before = original(SimpleImputer)
    return written(
        {
            SimpleImputer: Writer(_shapes(before.shapes), _converter(before.convert)),
            MissingIndicator: answering(lambda model: len(model.features_), _told),
        }
    )


def _shapes(before: Any) -> Any:
    def shapes(operator: Any) -> None:
        model = operator.raw_operator
        if _of_texts(operator):
            from skl2onnx.common.data_types import StringTensorType

            rows = operator.inputs[0].get_first_dimension()
            operator.outputs[0].type = StringTensorType([rows, len(_kept(model))])
            return
        before(operator)
        if model.indicator_ is not None:
            width = len(_kept(model)) + len(model.indicator_.features_)
            operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), width]

    return shapes


def _kept(model: Any) -> np.ndarray[Any, Any]:
    """The columns that held anything when it was fitted; it drops others."""
    return np.array([at for at, value in enumerate(model.statistics_) if value == value], np.int64)


def _of_texts(operator: Any) -> bool:
    from skl2onnx.common.data_types import StringTensorType

    return all(isinstance(value.type, StringTensorType) for value in operator.inputs)


def _fill(scope: Any, operator: Any, container: Any) -> None:
    """Texts in place of those that are missing."""
    model = operator.raw_operator
    if model.indicator_ is not None:
        raise ConvertError(
            "a SimpleImputer of texts with add_indicator answers texts and numbers in one matrix, which ONNX "
            "has no type for; leave add_indicator out, or encode the texts"
        )
    graph = GraphWriter()
    names = {f"x{at}": value.full_name for at, value in enumerate(operator.inputs)}
    given = graph.node("Concat", [*names], axis=1)
    missing = model.missing_values if isinstance(model.missing_values, str) else ""
    at = graph.node("Equal", [given, graph.node("Constant", [], value_strings=[missing])])
    texts = [value if isinstance(value, str) else "" for value in model.statistics_]
    filled = graph.node("Where", [at, graph.node("Constant", [], value_strings=texts), given])
    graph.node("Gather", [filled, graph.unnamed(_kept(model))], "y", axis=1)
    enter(graph, {**names, "y": operator.outputs[0].full_name}, scope, container)


def _converter(before: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType

        model = operator.raw_operator
        if _of_texts(operator):
            _fill(scope, operator, container)
            return
        if model.indicator_ is None:
            before(scope, operator, container)
            return
        is_double = isinstance(operator.outputs[0].type, DoubleTensorType)
        kind, dtype = (TensorProto.DOUBLE, np.float64) if is_double else (TensorProto.FLOAT, np.float32)
        graph = GraphWriter()
        given, names = whole(graph, operator, kind)
        missing = _is_missing(graph, model, given, dtype)
        filled = graph.node("Where", [missing, graph.unnamed(model.statistics_.astype(dtype)), given])
        ones = graph.node("Cast", [missing], to=kind)
        told = np.asarray(model.indicator_.features_, np.int64)
        parts = [
            graph.node("Gather", [source, graph.unnamed(places)], axis=1)
            for source, places in ((filled, _kept(model)), (ones, told))
        ]
        graph.node("Concat", parts, "y", axis=1)
        enter(graph, {**names, "y": operator.outputs[0].full_name}, scope, container)

    return convert


def _is_missing(graph: GraphWriter, model: Any, given: str, dtype: Any) -> str:
    if np.isnan(model.missing_values):
        return graph.node("IsNaN", [given])
    return graph.node("Equal", [given, graph.unnamed(dtype(model.missing_values))])


def _told(graph: GraphWriter, model: Any, x: str) -> str:
    """1 where something is missing, of the columns that tell it."""
    missing = graph.node("Cast", [_is_missing(graph, model, x, np.float64)], to=TensorProto.FLOAT)
    return graph.node("Gather", [missing, graph.unnamed(np.asarray(model.features_, np.int64))], axis=1)
