"""Kernels, what approximates them, and distances by a covariance: converters for skl2onnx, which has none."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.ensembles import passed
from sardonyx.convert.frameworks.tabular.sklearn_affine import affine
from sardonyx.convert.frameworks.tabular.sklearn_outputs import answering, deciding, total
from sardonyx.convert.frameworks.tabular.sklearn_replaced import written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them."""
    from sklearn.covariance import EllipticEnvelope
    from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
    from sklearn.kernel_ridge import KernelRidge

    return written(
        {
            KernelRidge: answering(
                lambda model: model.dual_coef_.reshape(len(model.X_fit_), -1).shape[1], _ridge
            ),
            Nystroem: answering(lambda model: len(model.normalization_), _nystroem),
            RBFSampler: answering(lambda model: model.n_components, _waves),
            SkewedChi2Sampler: answering(lambda model: model.n_components, _skewed),
            EllipticEnvelope: deciding(lambda model: np.array([-1, 1]), _envelope, 1),
        }
    )


def _ridge(graph: GraphWriter, model: Any, x: str) -> str:
    params = {name: getattr(model, name) for name in ("gamma", "degree", "coef0")}
    near = _kernel(graph, model.kernel, params, x, model.X_fit_)
    return graph.node("MatMul", [near, graph.unnamed(model.dual_coef_.reshape(len(model.X_fit_), -1))])


def _nystroem(graph: GraphWriter, model: Any, x: str) -> str:
    near = _kernel(graph, model.kernel, model._get_kernel_params(), x, model.components_)
    return graph.node("MatMul", [near, graph.unnamed(np.asarray(model.normalization_.T, np.float64))])


def _kernel(graph: GraphWriter, kind: Any, params: dict[str, Any], x: str, known: Any) -> str:
    """How like rows are to known ones: [batch, known]."""
    if not isinstance(known, np.ndarray) or kind not in (
        "linear",
        "rbf",
        "poly",
        "polynomial",
        "sigmoid",
        "cosine",
    ):
        raise ConvertError(
            f"the kernel {kind!r} has no ONNX form; of dense rows, linear, rbf, poly, sigmoid and cosine have"
        )
    known = np.asarray(known, np.float64)
    given = {name: value for name, value in params.items() if value is not None}
    gamma = float(given.get("gamma", 1 / known.shape[1]))
    if kind == "rbf":
        return graph.node("Exp", [_squares(graph, x, known, -gamma)])
    if kind == "cosine":
        lengths = np.linalg.norm(known, axis=1, keepdims=True)
        known = known / np.where(lengths == 0, 1, lengths)
        length = graph.node("Sqrt", [total(graph, graph.node("Mul", [x, x]), 1)])
        is_zero = graph.node("Equal", [length, graph.unnamed(np.float64(0))])
        x = graph.node("Div", [x, graph.node("Where", [is_zero, graph.unnamed(np.float64(1)), length])])
    products = graph.node("MatMul", [x, graph.unnamed(known.T)])
    if kind in ("linear", "cosine"):
        return products
    scaled = graph.node("Mul", [products, graph.unnamed(np.float64(gamma))])
    moved = graph.node("Add", [scaled, graph.unnamed(np.float64(given.get("coef0", 1)))])
    if kind == "sigmoid":
        return graph.node("Tanh", [moved])
    return graph.node("Pow", [moved, graph.unnamed(np.float64(given.get("degree", 3)))])


def _squares(graph: GraphWriter, x: str, known: Array, times: float) -> str:
    """Squares of the distances to known rows, `times` each."""
    centre = known.mean(0)
    moved = graph.node("Sub", [x, graph.unnamed(centre[None])])
    others = known - centre
    mixed = affine(graph, moved, -2 * times * others.T, times * (others**2).sum(1))
    own = graph.node(
        "Mul", [total(graph, graph.node("Mul", [moved, moved]), 1), graph.unnamed(np.float64(times))]
    )
    return graph.node("Add", [mixed, own])


def _waves(graph: GraphWriter, model: Any, x: str) -> str:
    turned = affine(graph, x, np.asarray(model.random_weights_, np.float64), model.random_offset_)
    height = graph.unnamed(np.float64(math.sqrt(2 / model.n_components)))
    return graph.node("Mul", [graph.node("Cos", [turned]), height])


def _skewed(graph: GraphWriter, model: Any, x: str) -> str:
    above = graph.node("Add", [x, graph.unnamed(np.float64(model.skewedness))])
    return _waves(graph, model, graph.node("Log", [above]))


def _envelope(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    moved = graph.node("Sub", [x, graph.unnamed(model.location_[None])])
    turned = graph.node("MatMul", [moved, graph.unnamed(model.get_precision())])
    far = total(graph, graph.node("Mul", [moved, turned]), 1)
    scores = graph.node("Sub", [graph.unnamed(np.float64(-model.offset_)), far])
    return passed(graph, scores, np.float64(0), "GreaterOrEqual"), scores
