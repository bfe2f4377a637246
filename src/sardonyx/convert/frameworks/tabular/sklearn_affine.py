"""Estimators that weigh columns and add them: converters for skl2onnx, which has none for these."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering
from sardonyx.convert.frameworks.tabular.sklearn_replaced import written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them."""
    from sklearn import cluster, cross_decomposition, decomposition

    transformers = (
        cluster.FeatureAgglomeration,
        cross_decomposition.PLSSVD,
        decomposition.FactorAnalysis,
        decomposition.FastICA,
        decomposition.MiniBatchSparsePCA,
        decomposition.SparsePCA,
    )
    regressors = (cross_decomposition.CCA, cross_decomposition.PLSCanonical)
    asked = dict.fromkeys(transformers, "transform") | dict.fromkeys(regressors, "predict")
    return written({kind: answering(_width(ask), _writer(ask)) for kind, ask in asked.items()})


def _width(ask: str) -> Any:
    return lambda model: _map(model, ask)[1].size


def _writer(ask: str) -> Any:
    return lambda graph, model, x: affine(graph, x, *_map(model, ask))


def _map(model: Any, ask: str) -> tuple[Array, Array]:
    if getattr(model, "pooling_func", np.mean) not in (np.mean, np.sum):
        raise ConvertError(
            "FeatureAgglomeration has an ONNX form where pooling_func is numpy.mean or numpy.sum"
        )
    return mapped(getattr(model, ask), model.n_features_in_)


def mapped(function: Any, width: int) -> tuple[Array, Array]:
    """The weights [width, out] and the bias [out] of a function of rows that is affine."""
    bias = np.asarray(function(np.zeros((1, width))), np.float64).reshape(1, -1)
    return np.asarray(function(np.eye(width)), np.float64).reshape(width, -1) - bias, bias[0]


def affine(graph: GraphWriter, x: str, weights: Array, bias: Array) -> str:
    """What it says of rows x."""
    weighed = graph.node("MatMul", [x, graph.unnamed(weights)])
    return graph.node("Add", [weighed, graph.unnamed(bias[None])])
