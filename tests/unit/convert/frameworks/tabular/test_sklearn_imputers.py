"""Imputers say as ONNX what they filled and what was missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_imputers

ROWS = np.random.default_rng(0).normal(size=(40, 4)).round(2)
ROWS[::3, 0] = ROWS[1::4, 2] = np.nan
GOAL = np.arange(40) % 2


@pytest.mark.parametrize(
    "options",
    [{"add_indicator": True}, {"add_indicator": True, "strategy": "median"}, {"strategy": "median"}],
)
def test_what_was_missing_is_told(options: dict[str, Any]) -> None:
    imputer = SimpleImputer(**options).fit(ROWS)
    chain = make_pipeline(imputer, StandardScaler(), LogisticRegression()).fit(ROWS, GOAL)
    frame = pandas.DataFrame(ROWS, columns=list("abcd"))
    columns = ColumnTransformer([("i", SimpleImputer(**options), ["a", "c"])], remainder="passthrough")
    for model, sample in (
        (imputer, ROWS),
        (chain, ROWS),
        (make_pipeline(columns.fit(frame.fillna({"d": 0})), StandardScaler()).fit(frame), frame),
    ):
        assert from_sklearn(model, sample=sample).parity.holds


def test_other_numbers_may_stand_for_missing_ones() -> None:
    rows = np.where(np.isnan(ROWS), -1, ROWS)
    imputer = SimpleImputer(missing_values=-1, add_indicator=True, strategy="most_frequent").fit(rows)
    assert from_sklearn(imputer, sample=rows).parity.holds


@pytest.mark.parametrize("missing", [np.nan, None, "?"])
@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_texts_are_filled(strategy: str, missing: Any) -> None:
    rows = np.array([["a", "u"], ["b", "u"], [missing, "v"], ["a", missing]] * 9, object)
    imputer = SimpleImputer(missing_values=missing, strategy=strategy, fill_value="u")
    chain = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    for model in (imputer, chain):
        model.fit(rows, GOAL[:36])
        assert from_sklearn(model).parity.holds
        assert from_sklearn(model, sample=rows).parity.holds


def test_texts_beside_what_was_missing_are_refused() -> None:
    rows = np.array([["a"], ["b"], [np.nan]] * 9, object)
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True).fit(rows)
    with pytest.raises(ConvertError, match="texts and numbers in one matrix, .* leave add_indicator out"):
        from_sklearn(imputer, sample=rows)


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_imputers.registered():
        assert known[SimpleImputer] == "SardonyxSimpleImputer"
    assert known == before


def test_what_tells_the_missing() -> None:
    rows = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0], [-1.0, np.nan, 0.0]])
    assert from_sklearn(MissingIndicator().fit(rows), sample=rows).parity.holds
    filled = np.nan_to_num(rows, nan=7)
    every = MissingIndicator(features="all", missing_values=-1).fit(filled)
    assert from_sklearn(every, sample=filled).parity.holds
