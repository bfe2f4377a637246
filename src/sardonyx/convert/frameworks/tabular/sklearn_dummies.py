"""Estimators that answer the same whatever they are asked: converters for skl2onnx, which has none."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering, best, classifying
from sardonyx.convert.frameworks.tabular.sklearn_replaced import written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return written(
        {
            DummyClassifier: classifying(_class),
            DummyRegressor: answering(lambda model: np.size(model.constant_), _constant),
        }
    )


def _constant(graph: GraphWriter, model: Any, x: str) -> str:
    return _each(graph, x, np.asarray(model.constant_, np.float64).reshape(-1))


def _class(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    if model.n_outputs_ > 1 or model._strategy in ("stratified", "uniform"):
        raise ConvertError(
            f"DummyClassifier(strategy={model._strategy!r}) of {model.n_outputs_} labels has no ONNX form; "
            "one label by the strategies most_frequent, prior and constant has one"
        )
    shares = _each(graph, x, model.predict_proba(np.zeros((1, 1)))[0])
    return best(graph, shares), shares


def _each(graph: GraphWriter, x: str, answer: Array) -> str:
    """The answer for every row of x."""
    rows = graph.node("Gather", [graph.node("Shape", [x]), graph.unnamed(np.array([0]))], axis=0)
    shape = graph.node("Concat", [rows, graph.unnamed(np.array([answer.size]))], axis=0)
    return graph.node("Expand", [graph.unnamed(answer[None]), shape])
