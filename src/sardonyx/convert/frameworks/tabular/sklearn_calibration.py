"""Isotonic calibration: what skl2onnx makes of it for a while.

Its own takes the value of the nearest known score; scikit-learn goes straight from one to the next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """While this lasts, skl2onnx calibrates as scikit-learn does."""
    from skl2onnx.operator_converters import calibrated_classifier_cv as home

    before = home._transform_isotonic
    home._transform_isotonic = _isotonic
    try:
        yield
    finally:
        home._transform_isotonic = before


def _isotonic(
    scope: Any, container: Any, model: Any, scores: str, at: int, dtype: Any, proto_type: int
) -> str:
    """The calibrated scores [batch, 1] of class `at`: each piece adds what of it a score passes."""
    known = model.calibrators[at]
    x, y = (np.asarray(part, np.float64) for part in (known.X_thresholds_, known.y_thresholds_))
    widths, heights = np.diff(x), np.diff(y)
    slopes = np.divide(heights, widths, out=np.zeros_like(heights), where=widths > 0)
    graph = GraphWriter()
    wide = graph.node("Cast", ["x"], to=TensorProto.DOUBLE)
    column = graph.node("Reshape", [wide, graph.unnamed(np.array([-1, 1]))])
    passed = graph.node("Sub", [column, graph.unnamed(x[None, :-1])])
    passed = graph.node("Max", [passed, graph.unnamed(np.float64(0))])
    passed = graph.node("Min", [passed, graph.unnamed(widths[None])])
    risen = graph.node("MatMul", [passed, graph.unnamed(slopes[:, None])])
    answer = graph.node("Add", [risen, graph.unnamed(y[:1])])
    is_wide = proto_type == TensorProto.DOUBLE
    graph.node("Cast", [answer], "y", to=TensorProto.DOUBLE if is_wide else TensorProto.FLOAT)
    name = str(scope.get_unique_variable_name("calibrated"))
    enter(graph, {"x": scores, "y": name}, scope, container)
    return name
