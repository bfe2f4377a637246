"""Imputers that tell what was missing (`add_indicator`): a converter for skl2onnx, which leaves that out."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter, whole
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, original, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.impute import SimpleImputer

    before = original(SimpleImputer)
    return written({SimpleImputer: Writer(_shapes(before.shapes), _converter(before.convert))})


def _shapes(before: Any) -> Any:
    def shapes(operator: Any) -> None:
        before(operator)
        model = operator.raw_operator
        if model.indicator_ is not None:
            width = len(_kept(model)) + len(model.indicator_.features_)
            operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), width]

    return shapes


def _kept(model: Any) -> np.ndarray[Any, Any]:
    """The columns that held numbers when it was fitted; it drops others."""
    return np.flatnonzero(~np.isnan(model.statistics_.astype(np.float64)))


def _converter(before: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

        model = operator.raw_operator
        if model.indicator_ is None or isinstance(operator.inputs[0].type, StringTensorType):
            before(scope, operator, container)
            return
        is_double = isinstance(operator.outputs[0].type, DoubleTensorType)
        kind, dtype = (TensorProto.DOUBLE, np.float64) if is_double else (TensorProto.FLOAT, np.float32)
        graph = GraphWriter()
        given, names = whole(graph, operator, kind)
        if np.isnan(model.missing_values):
            missing = graph.node("IsNaN", [given])
        else:
            missing = graph.node("Equal", [given, graph.unnamed(dtype(model.missing_values))])
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
