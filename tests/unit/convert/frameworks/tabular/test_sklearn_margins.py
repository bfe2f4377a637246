"""Classifiers that decide by margins convert with scikit-learn's labels, and margins of the right sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_margins

ROWS, KINDS = load_wine(return_X_y=True)
LEVELS = np.array(["low", "middle", "high"])[KINDS]


@pytest.mark.parametrize("model", [SVC(), SVC(kernel="linear"), NuSVC(nu=0.2), LinearSVC()])
def test_margins_of_two_classes_have_the_sign_of_the_label(model: Any) -> None:
    model = make_pipeline(StandardScaler(), clone(model)).fit(ROWS, LEVELS == "low")
    label, scores = from_sklearn(model, sample=ROWS).session().run(None, {"x": ROWS.astype(np.float32)})
    margins = scores.reshape(len(label), -1)[:, -1]
    assert ((margins > 0) == label).all() and set(label) == {0, 1}
    np.testing.assert_allclose(margins, model.decision_function(ROWS), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("goal", [LEVELS, LEVELS == "low"])
def test_classes_whose_probabilities_are_cut_off_are_told_apart(goal: Any) -> None:
    model = SGDClassifier(loss="modified_huber", random_state=0).fit(ROWS, goal)
    label = from_sklearn(model, sample=ROWS).session().run(["label"], {"x": ROWS.astype(np.float32)})[0]
    assert (label == model.predict(ROWS)).all()


def test_the_registration_ends() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as names

    before = dict(names)
    with sklearn_margins.registered():
        changed = {kind for kind, name in names.items() if name != before[kind]}
    assert changed == {SGDClassifier} and names == before
