"""Estimators that learned categories of pandas say as ONNX what they say of the data frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_pandas
from sardonyx.convert.frameworks.tabular.tables import Column, Table

ROWS = 400
DICE = np.random.default_rng(0)
NUMBERS = DICE.normal(size=ROWS)
PLACES = DICE.integers(0, 3, ROWS)
GOAL = (NUMBERS > 0) ^ (PLACES == 1)
KINDS = {
    "texts": pandas.Categorical.from_codes(PLACES, ["red", "blue", "green"]),
    "numbers": pandas.Categorical.from_codes(PLACES, [20, 3, 10]),
    "missing": pandas.Categorical.from_codes(np.where(NUMBERS > 1, -1, PLACES), ["red", "blue", "green"]),
}


def light() -> Any:
    return lightgbm.LGBMClassifier(n_estimators=8, verbose=-1, num_threads=1)


def extreme() -> Any:
    return xgboost.XGBClassifier(n_estimators=8, enable_categorical=True, n_jobs=1)


def scaled(model: Any) -> Any:
    """Behind a transformer that lets the categories through."""
    columns = ColumnTransformer([("scaled", StandardScaler(), ["size"])], remainder="passthrough")
    return make_pipeline(columns.set_output(transform="pandas"), model)


MODELS: dict[str, Callable[[], Any]] = {
    "LightGBM": light,
    "LightGBM, values": lambda: lightgbm.LGBMRegressor(n_estimators=8, verbose=-1, num_threads=1),
    "XGBoost": extreme,
    "XGBoost, values": lambda: xgboost.XGBRegressor(n_estimators=8, enable_categorical=True, n_jobs=1),
    "a pipeline of one": lambda: make_pipeline("passthrough", light()),
    "a search": lambda: GridSearchCV(light(), {"num_leaves": [4]}, cv=2),
    "scaled LightGBM": lambda: scaled(light()),
    "scaled XGBoost": lambda: scaled(extreme()),
    "calibrated": lambda: CalibratedClassifierCV(light(), cv=2),
}


def frame(kind: Any) -> pandas.DataFrame:
    return pandas.DataFrame({"size": NUMBERS, "hue": kind, "many": PLACES * 2.0})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_categories_of_pandas(name: str, kind: str) -> None:
    rows = frame(KINDS[kind])
    model = MODELS[name]().fit(rows, GOAL)
    for sample in (None, rows):
        made = from_sklearn(model, sample=sample)
        assert made.parity.holds
        assert made.notes[0].startswith("hue is a number: 0 = ")
    wide = made.session().get_inputs()[0].type == "tensor(double)"
    number = np.float64 if wide else np.float32
    codes = rows.hue.cat.codes.replace(-1, np.nan)
    known = rows.assign(hue=codes).astype(number)
    inputs = [value.name for value in made.session().get_inputs()]
    feeds = {"x": known.to_numpy()} if inputs == ["x"] else {n: known[[n]].to_numpy() for n in known}
    *_, ours = made.session().run(None, feeds)
    theirs = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)[:, None]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [light, extreme])
def test_alone_they_need_not_be_known(make: Any) -> None:
    ordered = pandas.Categorical.from_codes(PLACES, ["s", "m", "l"], ordered=make is light)
    rows = frame(ordered.rename_categories(["grün", "blau", "rot"]) if make is extreme else ordered)
    made = from_sklearn(make().fit(rows, GOAL))
    assert made.parity.holds and "place" in made.notes[0]
    with pytest.raises(ConvertError, match=r"hue.*is not a number.*\.cat\.codes"):
        from_sklearn(make().fit(rows, GOAL), sample=rows)
    with pytest.raises(ConvertError, match=r"learned 1 columns of categories .* OrdinalEncoder in front"):
        from_sklearn(scaled(make()).fit(rows, GOAL))


def test_texts_behind_transformers() -> None:
    model = scaled(HistGradientBoostingClassifier(max_iter=3)).fit(frame(KINDS["texts"]), GOAL)
    with pytest.raises(ConvertError, match=r"HistGradientBoostingClassifier learned texts .* OrdinalEncoder"):
        from_sklearn(model)


def test_columns_of_other_names() -> None:
    model = light().fit(frame(KINDS["texts"]), GOAL)
    table = Table([Column("size"), Column("colour"), Column("many")], separate=False)
    with pytest.raises(ConvertError, match="learned the column 'hue' as categories of pandas, and the table"):
        sklearn_pandas.with_categories(table, model)
    without = light().fit(frame(PLACES), GOAL)
    assert sklearn_pandas.with_categories(table, without) == table
    assert [sklearn_pandas.library(part) for part in (model, extreme(), StandardScaler())] == [
        "lightgbm",
        "xgboost",
        "",
    ]
