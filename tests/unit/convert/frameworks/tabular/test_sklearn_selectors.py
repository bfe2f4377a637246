"""What selects columns answers these, the first one alone as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_selectors

ROWS = np.random.default_rng(0).normal(size=(80, 4))
SELECTORS = [
    SelectKBest(k=1),
    RFE(LogisticRegression(), n_features_to_select=1),
    RFECV(LogisticRegression(), cv=2),
    SelectFromModel(DecisionTreeClassifier(random_state=0)),
    SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2),
    SequentialFeatureSelector(Ridge(), n_features_to_select=1, cv=2),
]


@pytest.mark.parametrize("best", [0, 3])
@pytest.mark.parametrize("model", SELECTORS, ids=lambda model: type(model).__name__)
def test_selectors(model: Any, best: int) -> None:
    goal = (ROWS[:, best] > 0).astype(int)
    assert from_sklearn(model.fit(ROWS, goal)).parity.holds
    whole = make_pipeline(model, LogisticRegression()).fit(ROWS, goal)
    assert from_sklearn(whole, sample=ROWS).parity.holds


def test_nothing_selected() -> None:
    model = VarianceThreshold().fit(ROWS)
    model.variances_[:] = 0
    with pytest.raises(ConvertError, match="VarianceThreshold selected no column"):
        from_sklearn(model, sample=ROWS)


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_selectors.registered():
        assert known[SelectKBest] == "SardonyxSelectKBest"
    assert known == before
