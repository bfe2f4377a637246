"""Nearest neighbours by lengths of differences: converters for skl2onnx.

Its own weigh neighbours by squares of their distances, never above a million, and compute in float32.
The nearest are found by products, which are quick; distances that weigh are those of differences.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering, best, classifying, lowest, total
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, original, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    ours = {
        KNeighborsClassifier: classifying(_decide),
        KNeighborsRegressor: answering(lambda model: _targets(model).shape[1], _mean),
    }
    return written({kind: _either(writer, original(kind)) for kind, writer in ours.items()})


def _either(ours: Writer, theirs: Writer) -> Writer:
    """Ours for models that it knows."""

    def shapes(operator: Any) -> None:
        (ours if _is_known(operator.raw_operator) else theirs).shapes(operator)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        (ours if _is_known(operator.raw_operator) else theirs).convert(scope, operator, container)

    return Writer(shapes, convert, theirs.options)


def _is_known(model: Any) -> bool:
    several = isinstance(getattr(model, "classes_", None), list)
    return (
        _power(model) is not None
        and model.weights in ("uniform", "distance", None)
        and not several
        and isinstance(model._fit_X, np.ndarray)
    )


def _power(model: Any) -> float | None:
    """The power whose root of sums is the distance; None of other metrics."""
    params = {name: value for name, value in model.effective_metric_params_.items() if value is not None}
    power = params.pop("p", 2)
    known = {"euclidean": 2.0, "manhattan": 1.0, "cityblock": 1.0, "chebyshev": np.inf, "minkowski": power}
    return None if params else known.get(model.effective_metric_)


def _targets(model: Any) -> Array:
    """What each row that was learned says [rows, width]."""
    if hasattr(model, "classes_"):
        return np.eye(len(model.classes_))[np.ravel(model._y)]
    return np.asarray(model._y, np.float64).reshape(len(model._y), -1)


def _decide(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    shares = _mean(graph, model, x)
    return best(graph, shares), shares


def _mean(graph: GraphWriter, model: Any, x: str) -> str:
    """What the neighbours say on average, by their weights."""
    known, power = np.asarray(model._fit_X, np.float64), _power(model)
    assert power is not None
    rows = graph.node("Unsqueeze", [x, graph.unnamed(np.array([1]))])
    if power == 2:
        centre = known.mean(0)
        products = graph.node(
            "MatMul",
            [graph.node("Sub", [x, graph.unnamed(centre[None])]), graph.unnamed(-2 * (known - centre).T)],
        )
        squares = graph.unnamed(((known - centre) ** 2).sum(1)[None])
        places = lowest(graph, graph.node("Add", [products, squares]), model.n_neighbors)
    else:
        every = _lengths(graph, rows, graph.unnamed(known[None]), power)
        places = lowest(
            graph, graph.node("Squeeze", [every, graph.unnamed(np.array([2]))]), model.n_neighbors
        )
    said = graph.node("Gather", [graph.unnamed(_targets(model)), places], axis=0)
    if model.weights != "distance":
        summed = total(graph, said, 1)
        mean = graph.node("Div", [summed, graph.unnamed(np.float64(model.n_neighbors))])
    else:
        near = graph.node("Gather", [graph.unnamed(known), places], axis=0)
        weights = _weights(graph, _lengths(graph, rows, near, power))
        summed = total(graph, graph.node("Mul", [said, weights]), 1)
        mean = graph.node("Div", [summed, total(graph, weights, 1)])
    return graph.node("Squeeze", [mean, graph.unnamed(np.array([1]))])


def _lengths(graph: GraphWriter, rows: str, others: str, power: float) -> str:
    """How far each row [batch, 1, columns] is from others [.., count, columns]: [batch, count, 1]."""
    apart = graph.node("Abs", [graph.node("Sub", [rows, others])])
    if power == np.inf:
        one = graph.unnamed(np.array([1]))
        return graph.several("TopK", [apart, one], [f"{apart} most", f"{apart} where"])[0]
    if power == 1:
        return total(graph, apart, 2)
    raised = graph.node("Pow", [apart, graph.unnamed(np.float64(power))])
    return graph.node("Pow", [total(graph, raised, 2), graph.unnamed(np.float64(1 / power))])


def _weights(graph: GraphWriter, lengths: str) -> str:
    """The inverses; where any has no distance at all, it and its like alone weigh."""
    inverse = graph.node("Reciprocal", [lengths])
    same = graph.node("Cast", [graph.node("IsInf", [inverse])], to=TensorProto.DOUBLE)
    is_any = graph.node("Greater", [total(graph, same, 1), graph.unnamed(np.float64(0))])
    return graph.node("Where", [is_any, same, inverse])
