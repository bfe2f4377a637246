"""Splines of columns: a converter for skl2onnx, which has none.

Each piece is a polynomial of the distance from the knot where it begins, in float64.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array
from sardonyx.convert.frameworks.tabular.sklearn_boosting import whole
from sardonyx.convert.frameworks.tabular.sklearn_outputs import finish, numbers
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them."""
    from sklearn.preprocessing import SplineTransformer

    return written({SplineTransformer: Writer(_shapes, _convert)})


def _shapes(operator: Any) -> None:
    numbers(operator, operator.raw_operator.n_features_out_)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    graph, model = GraphWriter(), operator.raw_operator
    given, names = whole(graph, operator, TensorProto.DOUBLE)
    parts = []
    for at, spline in enumerate(model.bsplines_):
        column = graph.node("Gather", [given, graph.unnamed(np.array([at]))], axis=1)
        answer = _column(graph, model, spline, column)
        if getattr(model, "handle_missing", "error") == "zeros":
            missing = graph.node("IsNaN", [column])
            answer = graph.node("Where", [missing, graph.unnamed(np.float64(0)), answer])
        parts.append(answer)
    finish(graph, graph.node("Concat", parts, axis=1), names, operator, scope, container)


def _column(graph: GraphWriter, model: Any, spline: Any, column: str) -> str:
    """The bases of one column [batch, 1] side by side, without the last one if that is left out."""
    kept = spline.c.shape[1] - (not model.include_bias)
    low, high = float(spline.t[spline.k]), float(spline.t[-spline.k - 1])
    inside = column
    if model.extrapolation == "periodic":
        turned = graph.node("Sub", [column, graph.unnamed(low)])
        times = graph.node("Floor", [graph.node("Div", [turned, graph.unnamed(high - low)])])
        whole_turns = graph.node("Mul", [times, graph.unnamed(high - low)])
        inside = graph.node("Sub", [column, whole_turns])
    elif model.extrapolation in ("constant", "linear"):
        inside = graph.node("Clip", [column, graph.unnamed(low), graph.unnamed(high)])
    answer = _pieces(graph, spline, inside, kept)
    if model.extrapolation != "linear" or spline.k == 0:
        return answer
    for border, bound in ((low, "Min"), (high, "Max")):
        beyond = graph.node("Sub", [column, graph.unnamed(border)])
        beyond = graph.node(bound, [beyond, graph.unnamed(np.float64(0))])
        slope = graph.unnamed(np.asarray(spline(border, nu=1), np.float64)[None, :kept])
        answer = graph.node("Add", [answer, graph.node("Mul", [beyond, slope])])
    return answer


def _pieces(graph: GraphWriter, spline: Any, x: str, kept: int) -> str:
    """The polynomial of the piece in which each row lies."""
    begins = np.unique(spline.t[spline.k : -spline.k - 1])
    reached = graph.node("GreaterOrEqual", [x, graph.unnamed(begins[None, 1:])])
    last = graph.unnamed(np.array([1]))
    counted = graph.node("Cast", [reached], to=TensorProto.INT64)
    place = graph.node("ReduceSum", [counted, last], keepdims=0)
    start = graph.node("Gather", [graph.unnamed(begins[:, None]), place], axis=0)
    distance = graph.node("Sub", [x, start])
    answer = ""
    for power in reversed(range(spline.k + 1)):
        table: Array = np.asarray(spline(begins, nu=power), np.float64)[:, :kept] / math.factorial(power)
        term = graph.node("Gather", [graph.unnamed(table), place], axis=0)
        answer = graph.node("Add", [graph.node("Mul", [answer, distance]), term]) if answer else term
    return answer
