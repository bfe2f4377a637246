"""Classifiers of scikit-learn, one row for each kind, or more where kernels, metrics or losses differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from tests.frameworks.row import CLASSES, MARGINS, VALUES, Row

RAW = {"raw_scores": True}
TWO, THREE, TEN = "scaled breast_cancer", "scaled iris", "digits"
PAIR = [("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3, random_state=0))]

SOME_TREES = RandomForestClassifier(5, random_state=0)


def numbered(model: Any, rows: Any) -> Any:
    """Classes by their place instead of their name."""
    return np.searchsorted(model.classes_, model.predict(rows))


def of_class(number: int) -> Callable[[Any, Any], Any]:
    """The probability of one class."""
    return lambda model, rows: model.predict_proba(rows)[:, number]


def paths(model: Any, rows: Any) -> Any:
    """The nodes that each row meets in each tree, as 0 and 1."""
    met = [tree.decision_path(rows).toarray() for tree in model.estimators_]
    return np.array([["".join(map(str, row)) for row in tree] for tree in met], dtype=object).T


def classes(model: Any, _rows: Any) -> Any:
    """The classes themselves."""
    return model.classes_


LINEAR = (
    Row(LogisticRegression(), TWO, CLASSES, quick=True),
    Row(LogisticRegression(), THREE, CLASSES, quick=True),
    Row(LogisticRegression(), "named", CLASSES, host=("gather",)),
    Row(LogisticRegression(), THREE, CLASSES, numbers=np.float64),
    Row(LogisticRegression(), "grades", CLASSES, numbers=np.int64),
    Row(LogisticRegression(), TWO, MARGINS, RAW),
    Row(LogisticRegressionCV(cv=2), THREE, CLASSES),
    Row(RidgeClassifier(), TWO, MARGINS, RAW),
    Row(RidgeClassifier(), THREE, MARGINS, RAW),
    Row(RidgeClassifierCV(), THREE, MARGINS, RAW),
    Row(SGDClassifier(loss="log_loss", random_state=0), THREE, CLASSES, quick=True),
    Row(SGDClassifier(loss="modified_huber", random_state=0), THREE, CLASSES),
    Row(SGDClassifier(random_state=0), TWO, MARGINS, RAW),
    Row(Perceptron(), THREE, MARGINS, RAW),
    Row(LinearSVC(), THREE, MARGINS, RAW),
    Row(LinearSVC(), TWO, MARGINS, RAW),
    Row(LinearDiscriminantAnalysis(), THREE, CLASSES),
    Row(LinearDiscriminantAnalysis(), THREE, CLASSES, numbers=np.float64),
    Row(QuadraticDiscriminantAnalysis(), THREE, CLASSES),
)

MACHINES = (
    *(Row(SVC(kernel=kernel), THREE, MARGINS, RAW) for kernel in ("linear", "poly", "rbf", "sigmoid")),
    *(
        Row(SVC(kernel=kernel, probability=True, random_state=0), data, CLASSES)
        for kernel in ("linear", "poly", "rbf")
        for data in (THREE, TWO)
    ),
    Row(SVC(probability=True, random_state=0), TEN, CLASSES, quick=True),
    Row(SVC(decision_function_shape="ovo"), THREE, MARGINS, RAW),
    Row(SVC(), TWO, MARGINS, RAW),
    Row(NuSVC(nu=0.2, probability=True, random_state=0), THREE, CLASSES),
)

TREES = (
    Row(DecisionTreeClassifier(random_state=0), THREE, CLASSES),
    Row(
        DecisionTreeClassifier(random_state=0),
        "two_labels",
        CLASSES,
    ),
    Row(ExtraTreeClassifier(random_state=0), THREE, CLASSES),
    Row(RandomForestClassifier(20, random_state=0), TWO, CLASSES, quick=True),
    Row(RandomForestClassifier(20, random_state=0), TEN, CLASSES),
    Row(RandomForestClassifier(20, random_state=0), TEN, CLASSES, numbers=np.int64),
    Row(RandomForestClassifier(20, random_state=0), "named", (numbered, "predict_proba"), {"nocl": True}),
    Row(ExtraTreesClassifier(20, random_state=0), THREE, CLASSES),
    Row(GradientBoostingClassifier(n_estimators=10, random_state=0), THREE, CLASSES),
    Row(GradientBoostingClassifier(n_estimators=10, random_state=0), TWO, CLASSES),
    Row(GradientBoostingClassifier(n_estimators=10, random_state=0), TWO, MARGINS, RAW),
    Row(HistGradientBoostingClassifier(max_iter=10, random_state=0), "wine", CLASSES),
    Row(HistGradientBoostingClassifier(max_iter=10, random_state=0), TWO, CLASSES, quick=True),
    Row(HistGradientBoostingClassifier(max_iter=10, random_state=0), "holes", CLASSES),
)

NEIGHBOURS = (
    Row(KNeighborsClassifier(), THREE, CLASSES, quick=True),
    Row(KNeighborsClassifier(), TEN, CLASSES),
    Row(KNeighborsClassifier(), TEN, CLASSES, numbers=np.int64),
    Row(KNeighborsClassifier(), THREE, CLASSES, numbers=np.float64),
    Row(KNeighborsClassifier(metric="manhattan"), "wine", CLASSES),
    Row(KNeighborsClassifier(metric="minkowski", p=3), "wine", CLASSES),
    Row(
        KNeighborsClassifier(weights="distance"),
        THREE,
        CLASSES,
        limit="clips negated distances, so that all neighbours weigh the same",
    ),
    Row(KNeighborsClassifier(metric="cosine", algorithm="brute"), THREE, CLASSES),
    Row(RadiusNeighborsClassifier(1.0), THREE, CLASSES),
)

BAYES = (
    Row(GaussianNB(), THREE, CLASSES, quick=True),
    Row(GaussianNB(), THREE, CLASSES, numbers=np.float64),
    Row(MultinomialNB(), TEN, CLASSES),
    Row(MultinomialNB(), TEN, CLASSES, numbers=np.int64),
    Row(ComplementNB(), TEN, CLASSES),
    Row(BernoulliNB(), "strokes", CLASSES),
    Row(CategoricalNB(min_categories=5), "grades", CLASSES),
    Row(MLPClassifier((20,), max_iter=300, random_state=0), THREE, CLASSES, quick=True),
    Row(MLPClassifier((20,), max_iter=300, random_state=0), THREE, CLASSES, numbers=np.float64),
    Row(MLPClassifier((20,), "tanh", max_iter=300, random_state=0), THREE, CLASSES),
    Row(MLPClassifier((20,), "logistic", max_iter=100, random_state=0), TEN, CLASSES),
)

TOGETHER = (
    Row(AdaBoostClassifier(n_estimators=10, random_state=0), THREE, CLASSES),
    Row(BaggingClassifier(n_estimators=5, random_state=0), THREE, CLASSES),
    Row(BaggingClassifier(LogisticRegression(), n_estimators=5, random_state=0), THREE, CLASSES),
    Row(VotingClassifier(PAIR, voting="soft"), THREE, CLASSES),
    Row(VotingClassifier(PAIR), THREE, VALUES),
    Row(StackingClassifier(PAIR, cv=2), THREE, CLASSES, quick=True),
    Row(CalibratedClassifierCV(LinearSVC(), cv=2), THREE, CLASSES),
    Row(
        CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
        THREE,
        CLASSES,
        limit="takes the nearest step of the calibration where the estimator interpolates",
    ),
    Row(OneVsRestClassifier(LogisticRegression()), THREE, CLASSES),
    Row(OneVsOneClassifier(LogisticRegression()), THREE, MARGINS),
    Row(MultiOutputClassifier(LogisticRegression()), "two_labels", CLASSES, host=("sequence",)),
    Row(GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2), THREE, CLASSES),
    Row(
        TunedThresholdClassifierCV(LogisticRegression(), cv=2),
        TWO,
        CLASSES,
        limit="knows no threshold but one half",
    ),
)


OPTIONS = (
    Row(LogisticRegression(), THREE, CLASSES, {"zipmap": True}, host=("zip_map",), quick=True),
    Row(LogisticRegression(), "named", CLASSES, {"zipmap": True}, host=("gather", "zip_map")),
    Row(LogisticRegression(), THREE, ("predict", *map(of_class, range(3))), {"zipmap": "columns"}),
    Row(LogisticRegression(), "named", (numbered, "predict_proba"), {"nocl": True}),
    Row(LogisticRegression(), THREE, (*CLASSES, classes), {"output_class_labels": True}),
    Row(SOME_TREES, THREE, (*CLASSES, paths), {"decision_path": True}, host=("concat", "lookup")),
    Row(SOME_TREES, THREE, (*CLASSES, "apply"), {"decision_leaf": True}),
)

ROWS = (*LINEAR, *MACHINES, *TREES, *NEIGHBOURS, *BAYES, *TOGETHER, *OPTIONS)
