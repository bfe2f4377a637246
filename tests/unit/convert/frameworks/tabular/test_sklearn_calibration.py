"""Calibrated classifiers say as ONNX what they say in scikit-learn, between known scores as well."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_calibration

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 3))
CLASSES = (ROWS[:, 0] + RANDOM.normal(size=120) > 0).astype(int) + (ROWS[:, 1] > 1)


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("base", [GaussianNB(), LogisticRegression(), LinearSVC()])
@pytest.mark.parametrize("count", [2, 3])
def test_isotonic(count: int, base: GaussianNB | LogisticRegression | LinearSVC, ensemble: bool) -> None:
    model = CalibratedClassifierCV(base, method="isotonic", ensemble=ensemble, cv=3)
    model.fit(ROWS, np.minimum(CLASSES, count - 1))
    far = np.concatenate([ROWS, 2 * ROWS, [[9.0, 9, 9], [-9, -9, -9]]])
    assert from_sklearn(model, sample=far).parity.holds


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx.operator_converters import calibrated_classifier_cv as home

    before = home._transform_isotonic
    with sklearn_calibration.registered():
        assert home._transform_isotonic is not before
    assert home._transform_isotonic is before
