"""What selects columns: a converter for skl2onnx.

Its own fails where the first column alone is selected, and knows no SequentialFeatureSelector.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_boosting import enter
from sardonyx.convert.frameworks.tabular.sklearn_replaced import Writer, original, written


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn import feature_selection

    shapes = original(feature_selection.SelectKBest).shapes
    kinds = [getattr(feature_selection, name) for name in feature_selection.__all__]
    return written({kind: Writer(shapes, _convert) for kind in kinds if hasattr(kind, "get_support")})


def _convert(scope: Any, operator: Any, container: Any) -> None:
    graph, model = GraphWriter(), operator.raw_operator
    kept = np.asarray(model.get_support(indices=True), np.int64)
    if not len(kept):
        raise ConvertError(f"{type(model).__name__} selected no column, so that nothing is left to answer")
    graph.node("Gather", ["x", graph.unnamed(kept)], "y", axis=1)
    names = {"x": operator.inputs[0].full_name, "y": operator.outputs[0].full_name}
    enter(graph, names, scope, container)
