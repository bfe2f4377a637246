"""Voting estimators convert as they are made by default, with weights, and with estimators dropped."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_voting

ROWS, KINDS = load_wine(return_X_y=True)
LINE = ("line", LogisticRegression())
DROPPED = [LINE, ("gone", "drop"), ("tree", DecisionTreeClassifier(max_depth=2))]
PAIR = [LINE, ("bayes", GaussianNB())]
VALUES = [("line", LinearRegression()), ("gone", "drop"), ("tree", DecisionTreeRegressor(max_depth=2))]


@pytest.mark.parametrize(
    "model",
    [
        VotingClassifier(PAIR),
        VotingClassifier(PAIR, voting="soft"),
        VotingClassifier(PAIR, voting="soft", weights=[3, 1]),
        VotingClassifier(DROPPED, voting="soft", weights=(3, 1, 9)),
        VotingClassifier(DROPPED, weights=(3, 1, 9)),
        VotingRegressor(VALUES, weights=[3, 1, 2]),
    ],
    ids=("hard", "soft", "weights", "dropped", "dropped hard", "values"),
)
def test_voting(model: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), model).fit(ROWS, KINDS)
    assert from_sklearn(pipeline, sample=ROWS).parity.holds
    assert getattr(model, "flatten_transform", True)


def test_the_registration_ends() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as names

    before = dict(names)
    with sklearn_voting.registered():
        changed = {kind for kind, name in names.items() if name != before[kind]}
    assert changed == {VotingClassifier, VotingRegressor} and names == before
