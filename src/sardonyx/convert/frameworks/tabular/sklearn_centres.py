"""Estimators that answer the nearest of their centres: converters for skl2onnx, which has none for these."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from onnx import TensorProto

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_outputs import best, classifying, deciding, total
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them."""
    from sklearn import cluster
    from sklearn.neighbors import NearestCentroid

    return written(
        {
            cluster.AffinityPropagation: _nearest("cluster_centers_"),
            cluster.MeanShift: _nearest("cluster_centers_"),
            cluster.Birch: deciding(lambda model: np.asarray(model.subcluster_labels_), _nearest_part),
            cluster.BisectingKMeans: deciding(lambda model: np.arange(len(model.cluster_centers_)), _down),
            NearestCentroid: classifying(_centroid),
        }
    )


def _nearest(name: str) -> Writer:
    def write(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
        return _least(graph, x, getattr(model, name))

    return deciding(lambda model: np.arange(len(getattr(model, name))), write)


def _nearest_part(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    return _least(graph, x, model.subcluster_centers_)


def _least(graph: GraphWriter, x: str, centres: Array) -> tuple[str, str]:
    """The nearest centre, and the distance to each."""
    squares = _squares(graph, x, centres)
    return graph.node("ArgMin", [squares], axis=1, keepdims=0), graph.node("Sqrt", [squares])


def _squares(graph: GraphWriter, x: str, centres: Array) -> str:
    rows = graph.node("Unsqueeze", [x, graph.unnamed(np.array([1]))])
    apart = graph.node("Sub", [rows, graph.unnamed(np.asarray(centres, np.float64)[None])])
    summed = total(graph, graph.node("Mul", [apart, apart]), 2)
    return graph.node("Squeeze", [summed, graph.unnamed(np.array([2]))])


def _down(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    """Each split of a cluster into two is asked for all rows; then each row goes its way."""
    _, distances = _least(graph, x, model.cluster_centers_)
    offset = getattr(model, "_X_mean", 0)

    def chosen(node: Any) -> str:
        if node.left is None:
            return graph.unnamed(np.array([node.label], np.int64))
        centres = np.stack([node.left.center, node.right.center]) + offset
        right = graph.node("ArgMin", [_squares(graph, x, centres)], axis=1, keepdims=0)
        is_right = graph.node("Cast", [right], to=TensorProto.BOOL)
        return graph.node("Where", [is_right, chosen(node.right), chosen(node.left)])

    return chosen(model._bisecting_tree), distances


def _centroid(graph: GraphWriter, model: Any, x: str) -> tuple[str, str]:
    if model.metric != "euclidean":
        raise ConvertError(
            f"NearestCentroid(metric={model.metric!r}) has no ONNX form; metric='euclidean' has one"
        )
    is_even = np.isclose(model.class_prior_, 1 / len(model.classes_)).all()
    widths = np.where(model.within_class_std_dev_ == 0, 1, model.within_class_std_dev_)
    scaled = graph.node("Div", [x, graph.unnamed(widths[None])])
    squares = _squares(graph, scaled, model.centroids_ / widths)
    scores = graph.node("Sub", [graph.unnamed(2 * np.log(model.class_prior_)[None]), squares])
    shares = graph.node("Softmax", [scores], axis=1)
    if is_even:
        return _least(graph, x, model.centroids_)[0], shares
    return best(graph, scores), shares
