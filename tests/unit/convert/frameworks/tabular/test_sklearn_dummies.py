"""Estimators that answer the same whatever they are asked do so as ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_dummies

ROWS = np.array([[0.0, 1.0], [np.nan, np.inf], [2.0, 3.0]])
TEXTS = ["a", "b", "b"]


@pytest.mark.parametrize(
    "model",
    [
        DummyClassifier(),
        DummyClassifier(strategy="constant", constant="a"),
        DummyClassifier(strategy="most_frequent"),
    ],
    ids=str,
)
def test_classes(model: Any) -> None:
    assert from_sklearn(model.fit(ROWS, TEXTS), sample=ROWS).parity.holds


def test_numbers() -> None:
    assert from_sklearn(DummyRegressor().fit(ROWS, [1.0, 2.0, 4.0]), sample=ROWS).parity.holds
    several = DummyRegressor(strategy="median").fit(ROWS, np.arange(6.0).reshape(3, 2))
    assert from_sklearn(several, sample=ROWS).parity.holds


def test_what_draws() -> None:
    with pytest.raises(ConvertError, match=r"DummyClassifier\(strategy='uniform'\) of 1 labels has no ONNX"):
        from_sklearn(DummyClassifier(strategy="uniform").fit(ROWS, TEXTS), sample=ROWS)


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_dummies.registered():
        assert known[DummyClassifier] == "SardonyxDummyClassifier"
    assert known == before
