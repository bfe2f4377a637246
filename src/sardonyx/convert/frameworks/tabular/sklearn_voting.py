"""Voting estimators: converters for skl2onnx.

Its own refuse classifiers that flatten what they transform, which is the default, though a model never
transforms; they refuse weights that are a list, and give those of dropped estimators to the next.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np

from sardonyx.convert.frameworks.tabular.sklearn_replaced import replaced


def registered() -> contextlib.AbstractContextManager[None]:
    """While this lasts, skl2onnx converts them right."""
    from sklearn.ensemble import VotingClassifier, VotingRegressor

    return replaced((VotingClassifier, VotingRegressor), _converter)


def _converter(original: Any) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        plain = copy.copy(model)
        plain.flatten_transform = False
        if model.weights is not None:
            plain.weights = np.asarray(model._weights_not_none, np.float64)
        operator.raw_operator = plain
        original(scope, operator, container)
        operator.raw_operator = model

    return convert
