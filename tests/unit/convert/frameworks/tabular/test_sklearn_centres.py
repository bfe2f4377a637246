"""Estimators that answer the nearest centre say as ONNX what they say in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, MeanShift
from sklearn.datasets import load_iris
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_centres

ROWS, KINDS = load_iris(return_X_y=True)
CLUSTERS = [
    *(AffinityPropagation(), MeanShift(), Birch(), Birch(n_clusters=None, threshold=1.0)),
    *(BisectingKMeans(6, random_state=0), make_pipeline(StandardScaler(), BisectingKMeans(3))),
]


@pytest.mark.parametrize("model", CLUSTERS, ids=str)
def test_clusters(model: Any) -> None:
    model.fit(ROWS)
    assert from_sklearn(model).parity.holds
    assert from_sklearn(model, sample=ROWS).parity.holds


@pytest.mark.parametrize("options", [{}, {"shrink_threshold": 0.2}, {"priors": "empirical"}], ids=str)
def test_centroids(options: dict[str, Any]) -> None:
    kinds = np.array(["a", "b", "c"])[KINDS][:130]
    assert from_sklearn(NearestCentroid(**options).fit(ROWS[:130], kinds)).parity.holds


def test_other_distances() -> None:
    with pytest.raises(ConvertError, match=r"NearestCentroid\(metric='manhattan'\) has no ONNX form"):
        from_sklearn(NearestCentroid(metric="manhattan").fit(ROWS, KINDS))


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_centres.registered():
        assert known[MeanShift] == "SardonyxMeanShift"
    assert known == before
