"""Voting estimators: converters for skl2onnx.

Its own refuse classifiers that flatten what they transform, which is the default, though a model never
transforms; they refuse weights that are a list, and give those of dropped estimators to the next.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """While this lasts, skl2onnx converts them right."""
    from skl2onnx import _supported_operators as known
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.ensemble import VotingClassifier, VotingRegressor

    names = known.sklearn_operator_name_map
    before = {kind: names[kind] for kind in (VotingClassifier, VotingRegressor)}
    for kind, name in before.items():
        original = get_converter(name)
        update_registered_converter(
            kind,
            f"Sardonyx{kind.__name__}",
            get_shape_calculator(name),
            _converter(original),
            overwrite=True,
            options=original.get_allowed_options(),
        )
    try:
        yield
    finally:
        names.update(before)


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
