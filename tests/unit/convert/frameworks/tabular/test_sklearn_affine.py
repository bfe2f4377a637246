"""Estimators that weigh columns say as ONNX what they say in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import FeatureAgglomeration
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical
from sklearn.decomposition import FactorAnalysis, FastICA, SparsePCA

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular.sklearn_affine import mapped

ROWS = np.random.default_rng(0).normal(size=(60, 4)) * [1, 2, 3, 4] + 100
GOAL = ROWS[:, :2] @ [[1, 0.5], [2, -1]] + np.random.default_rng(1).normal(size=(60, 2))
KINDS = [
    *(CCA(1), PLSCanonical(1), PLSSVD(1), FactorAnalysis(2), FastICA(3, random_state=0)),
    *(SparsePCA(2, random_state=0), FeatureAgglomeration(2)),
]


@pytest.mark.parametrize("model", KINDS, ids=lambda model: type(model).__name__)
def test_affine(model: Any) -> None:
    model.fit(ROWS, GOAL)
    assert from_sklearn(model).parity.holds
    assert from_sklearn(model, sample=3 * ROWS, double=True).parity.holds


def test_its_map() -> None:
    weights, bias = mapped(lambda rows: rows @ [[2.0], [3.0]] + 1, 2)
    assert (weights.tolist(), bias.tolist()) == ([[2.0], [3.0]], [1.0])


def test_what_pools_otherwise() -> None:
    with pytest.raises(ConvertError, match=r"pooling_func is numpy\.mean"):
        from_sklearn(FeatureAgglomeration(2, pooling_func=np.max).fit(ROWS))
