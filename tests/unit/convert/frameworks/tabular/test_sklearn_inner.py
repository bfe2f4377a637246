"""Estimators around others say as ONNX what they say in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_inner

ROWS, KINDS = load_iris(return_X_y=True)
NOISY = ROWS + np.random.default_rng(0).normal(size=ROWS.shape)
PAIR = np.array(["no", "yes"])[(KINDS > 0).astype(int)]
GOALS = np.exp(ROWS[:, :2] / 4)
LINE = LogisticRegression()
PIPED = make_pipeline(StandardScaler(), LINE)


@pytest.mark.parametrize(
    "options",
    [{}, {"threshold": 0.2, "pos_label": "no"}, {"response_method": "decision_function", "threshold": 0.7}],
)
@pytest.mark.parametrize("inner", [LINE, PIPED, LinearSVC(), SVC()], ids=lambda model: type(model).__name__)
def test_thresholds(inner: Any, options: dict[str, Any]) -> None:
    model = FixedThresholdClassifier(inner, **options).fit(NOISY, PAIR)
    assert from_sklearn(model, sample=NOISY).parity.holds


def test_scores_on_the_border_reach_it() -> None:
    forest = RandomForestClassifier(5, max_depth=8, random_state=0)
    model = FixedThresholdClassifier(forest, threshold=0.2, pos_label="no").fit(NOISY, PAIR)
    assert (model.predict_proba(NOISY)[:, 0] == 0.2).any()
    assert from_sklearn(model, sample=NOISY).parity.holds


def test_tuned_and_taught_by_themselves() -> None:
    assert from_sklearn(TunedThresholdClassifierCV(LINE, cv=2).fit(NOISY, PAIR)).parity.holds
    some = np.where(np.arange(150) % 3 == 0, -1, KINDS)
    assert from_sklearn(SelfTrainingClassifier(PIPED).fit(ROWS, some)).parity.holds


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"func": np.log1p, "inverse_func": np.expm1},
        {"transformer": StandardScaler()},
    ],
    ids=str,
)
def test_goals(options: dict[str, Any]) -> None:
    assert from_sklearn(TransformedTargetRegressor(Ridge(), **options).fit(ROWS, GOALS)).parity.holds
    frame = pandas.DataFrame({"n": ROWS[:, 0], "c": np.array(["a", "b", "c"])[KINDS]})
    columns = make_column_transformer((StandardScaler(), ["n"]), (OneHotEncoder(), ["c"]))
    inner = make_pipeline(columns, Ridge())
    assert from_sklearn(TransformedTargetRegressor(inner, **options).fit(frame, GOALS[:, 1])).parity.holds


def test_goals_that_cannot_be_turned_back() -> None:
    model = TransformedTargetRegressor(Ridge(), transformer=PowerTransformer()).fit(ROWS, GOALS)
    with pytest.raises(ConvertError, match="a goal that PowerTransformer changed"):
        from_sklearn(model)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_chains(method: str) -> None:
    several = np.stack([KINDS > 0, KINDS > 1], 1).astype(int)
    chain = ClassifierChain(PIPED, order=[1, 0], chain_method=method).fit(ROWS, several)
    assert from_sklearn(chain).parity.holds


def test_chains_of_numbers() -> None:
    assert from_sklearn(RegressorChain(Ridge(), order=[1, 0]).fit(ROWS, GOALS), double=True).parity.holds


@pytest.mark.parametrize("seed", [0, 1])
def test_codes(seed: int) -> None:
    model = OutputCodeClassifier(LINE, random_state=seed).fit(ROWS, np.array(["a", "b", "c"])[KINDS])
    assert from_sklearn(model).parity.holds


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_inner.registered():
        assert known[RegressorChain] == "SardonyxRegressorChain"
    assert known == before
