"""Nearest neighbours say as ONNX what they say in scikit-learn, of rows that they learned as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_neighbors

DICE = np.random.default_rng(0)
ROWS = DICE.normal(size=(60, 3)).astype(np.float32).astype(np.float64)
FAR = np.concatenate([ROWS, ROWS + 0.1, 20 * ROWS])
CLASSES = np.array(["a", "b", "c"])[np.arange(60) % 3]
KINDS: list[dict[str, Any]] = [
    {},
    {"weights": "distance"},
    {"weights": "distance", "metric": "manhattan"},
    {"weights": "distance", "p": 3},
    {"metric": "chebyshev", "n_neighbors": 1},
    {"metric": "cosine"},
]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_neighbours(options: dict[str, Any]) -> None:
    classifier = KNeighborsClassifier(**options).fit(ROWS, CLASSES)
    assert from_sklearn(classifier, sample=FAR).parity.holds
    regressor = KNeighborsRegressor(**options).fit(ROWS, ROWS @ np.ones((3, 2)))
    assert from_sklearn(regressor).parity.holds
    assert from_sklearn(regressor, sample=FAR, double=True).parity.holds


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_rows_that_are_there_twice_weigh_alone(algorithm: str) -> None:
    rows = np.concatenate([ROWS, ROWS[:20] * 1.0])
    model = KNeighborsRegressor(weights="distance", algorithm=algorithm).fit(rows, np.arange(80.0))
    made = from_sklearn(model, sample=ROWS[:20])
    assert made.parity.holds
    assert model.predict(ROWS[:20]) == pytest.approx(np.arange(20.0) + 30)


def test_far_from_zero() -> None:
    rows = ROWS + 1024
    model = KNeighborsRegressor(weights="distance").fit(rows, ROWS[:, 0])
    assert from_sklearn(model, sample=rows + 0.25).parity.holds


def test_several_labels_of_a_row() -> None:
    several = np.stack([CLASSES, CLASSES[::-1]], 1)
    assert from_sklearn(KNeighborsClassifier().fit(ROWS, several), sample=FAR).parity.holds


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_neighbors.registered():
        assert known[KNeighborsRegressor] == "SardonyxKNeighborsRegressor"
    assert known == before
