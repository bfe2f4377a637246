"""Functions of numpy and scipy as transformers: a converter for skl2onnx, whose own knows the identity alone.

Functions are computed in float64, where a formula may stand for one that is exact near 0.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_boosting import whole
from sardonyx.convert.frameworks.tabular.sklearn_outputs import finish, numbers
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, original, written

Formula = Callable[[GraphWriter, str], str]


def _plain(kind: str) -> Formula:
    return lambda graph, x: graph.node(kind, [x])


def _with(kind: str, number: float) -> Formula:
    """An operator of x and a number."""
    return lambda graph, x: graph.node(kind, [x, graph.unnamed(np.float64(number))])


def _then(*formulas: Formula) -> Formula:
    def write(graph: GraphWriter, x: str) -> str:
        for formula in formulas:
            x = formula(graph, x)
        return x

    return write


def _square(graph: GraphWriter, x: str) -> str:
    return graph.node("Mul", [x, x])


FORMULAS: Mapping[str, Formula] = {
    "absolute": _plain("Abs"),
    "arcsinh": _plain("Asinh"),
    "arctan": _plain("Atan"),
    "ceil": _plain("Ceil"),
    "cos": _plain("Cos"),
    "exp": _plain("Exp"),
    "expit": _plain("Sigmoid"),
    "expm1": _then(_plain("Exp"), _with("Sub", 1)),
    "fabs": _plain("Abs"),
    "floor": _plain("Floor"),
    "log": _plain("Log"),
    "log10": _then(_plain("Log"), _with("Div", math.log(10))),
    "log1p": _then(_with("Add", 1), _plain("Log")),
    "log2": _then(_plain("Log"), _with("Div", math.log(2))),
    "negative": _plain("Neg"),
    "reciprocal": _plain("Reciprocal"),
    "rint": _plain("Round"),
    "sign": _plain("Sign"),
    "sin": _plain("Sin"),
    "sqrt": _plain("Sqrt"),
    "square": _square,
    "tan": _plain("Tan"),
    "tanh": _plain("Tanh"),
}


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts transformers of these functions."""
    from sklearn.preprocessing import FunctionTransformer

    before = original(FunctionTransformer)
    return written({FunctionTransformer: Writer(_shapes(before.shapes), _converter(before.convert))})


def formula(function: Any, options: Any) -> Formula:
    """How a function with these keyword arguments is written; ConvertError if it cannot be."""
    name = getattr(function, "__name__", type(function).__name__)
    known = FORMULAS.get(name) if isinstance(function, np.ufunc) else None
    if known is None or options:
        raise ConvertError(
            f"the function {name!r} of a FunctionTransformer has no ONNX form; these of numpy have one: "
            f"{', '.join(FORMULAS)} (expit is scipy's). Call others before the model instead"
        )
    return known


def _shapes(before: Any) -> Any:
    def shapes(operator: Any) -> None:
        if operator.raw_operator.func is None:
            before(operator)
            return
        formula(operator.raw_operator.func, operator.raw_operator.kw_args)
        numbers(operator, sum(value.type.shape[1] for value in operator.inputs))

    return shapes


def _converter(before: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        if operator.raw_operator.func is None:
            before(scope, operator, container)
            return
        graph = GraphWriter()
        given, names = whole(graph, operator, TensorProto.DOUBLE)
        answer = formula(operator.raw_operator.func, operator.raw_operator.kw_args)(graph, given)
        finish(graph, answer, names, operator, scope, container)

    return convert
