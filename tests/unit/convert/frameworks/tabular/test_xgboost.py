"""XGBoost's models: how they are opened, their classes, columns and categories, and what is said of them."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import xgboost as theirs

from sardonyx.convert import convert
from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.tabular import xgboost
from sardonyx.zoo import pipeline

ROWS = np.stack([np.arange(40.0), np.arange(40.0) % 5], 1)
VALUES = ROWS[:, 1]
SETTINGS = {"n_estimators": 2, "max_depth": 2, "n_jobs": 1}


def trained(objective: str, **more: Any) -> theirs.Booster:
    matrix = theirs.DMatrix(
        ROWS, VALUES > 2 if "logistic" in objective else VALUES, feature_names=["any name", "f9"]
    )
    return theirs.train({"objective": objective, "max_depth": 2, "nthread": 1, **more}, matrix, 2)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("binary:logistic", [0, 1]),
        ("multi:softprob", [0, 1, 2, 3, 4]),
        ("reg:squarederror", None),
        ("reg:logistic", None),
    ],
)
def test_what_tells_classes(objective: str, expected: list[int] | None) -> None:
    booster = trained(objective, **({"num_class": 5} if "multi" in objective else {}))
    found = xgboost.classes(booster, xgboost.described(booster))
    assert (None if found is None else list(found)) == expected


def test_files(tmp_path: Path) -> None:
    trained("binary:logistic").save_model(tmp_path / "m.ubj")
    trained("reg:squarederror").save_model(tmp_path / "m.json")
    ranks = theirs.XGBRanker(**SETTINGS).fit(ROWS, VALUES, group=[20, 20])
    ranks.save_model(tmp_path / "r.ubj")
    assert isinstance(xgboost.load(str(tmp_path / "r.ubj"), Request()), theirs.XGBRanker)
    (tmp_path / "broken.json").write_text('{"learner": {')
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"is": "pickled"}))
    assert isinstance(xgboost.load(str(tmp_path / "m.ubj"), Request()), theirs.XGBClassifier)
    assert isinstance(xgboost.load(str(tmp_path / "m.json"), Request()), theirs.XGBRegressor)
    assert xgboost.load(str(tmp_path / "m.pkl"), Request()) == {"is": "pickled"}
    with pytest.raises(ConvertError, match=r"broken\.json cannot be read by XGBoost: .*; is the file whole"):
        xgboost.load(str(tmp_path / "broken.json"), Request())


def test_without_scikit_learn_a_file_is_the_booster_up_to_its_best_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, find = str(tmp_path / "m.json"), importlib.util.find_spec
    booster = theirs.train({}, theirs.DMatrix(ROWS, ROWS[:, 0]), 4)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else find(name))
    for best, rounds in ((None, 4), ("1", 2)):
        booster.set_attr(best_iteration=best)
        booster.save_model(path)
        found = xgboost.load(path, Request())
        assert isinstance(found, theirs.Booster) and found.num_boosted_rounds() == rounds


def test_columns_know_their_borders() -> None:
    one, other = xgboost._columns(xgboost.described(trained("reg:squarederror")), {})
    assert (one.name, other.name, list(one.values)) == ("any name", "f9", [])
    assert list(other.values) == sorted(other.values) and 1 <= len(other.values) <= 6


def test_a_booster_is_exported_and_keeps_its_names(tmp_path: Path) -> None:
    booster = trained("binary:logistic")
    made = xgboost.export(booster, Request(), tmp_path / "m.onnx")
    assert booster.feature_names == ["any name", "f9"] and made.columns == ("any name", "f9")
    assert made.drawn
    rows = theirs.DMatrix(made.cases[0].feeds["x"], feature_names=booster.feature_names)
    np.testing.assert_allclose(made.cases[0].answers[1][:, 1], booster.predict(rows))
    np.testing.assert_array_equal(made.cases[0].answers[0], booster.predict(rows) > 0.5)


def test_estimators(tmp_path: Path) -> None:
    model = theirs.XGBRegressor(**SETTINGS).fit(ROWS, VALUES)
    made = xgboost.export(model, Request({"": ROWS[:3]}), tmp_path / "m.onnx")
    assert (made.labels, made.columns) == ((), ("f0", "f1"))
    np.testing.assert_allclose(made.cases[0].answers[0], model.predict(ROWS[:3]))


def test_an_estimator_stops_at_its_best_round() -> None:
    settings = {**SETTINGS, "n_estimators": 50, "early_stopping_rounds": 1}
    model = theirs.XGBRegressor(**settings).fit(ROWS, VALUES, eval_set=[(ROWS, -VALUES)], verbose=False)
    assert xgboost.described(model).rounds == model.best_iteration + 1 < 50
    assert xgboost.described(model.get_booster()).rounds is None


def painted(*names: list[Any]) -> tuple[pandas.DataFrame, theirs.XGBRegressor]:
    hues = {
        column: pandas.Categorical(np.array(known, object)[np.arange(40) % len(known)])
        for column, known in zip(("hue", "grade"), names, strict=False)
    }
    rows = pandas.DataFrame({**hues, "size": ROWS[:, 0]})
    goal = sum(np.arange(40) % len(known) for known in names)
    return rows, theirs.XGBRegressor(**SETTINGS, enable_categorical=True).fit(rows, goal)


def test_categories_of_pandas_are_kept(tmp_path: Path) -> None:
    rows, model = painted(["red", "green", "blue"], [7, 2, 5, 4])
    assert all(model.feature_importances_[:2])
    model.save_model(tmp_path / "m.ubj")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    made = convert(tmp_path / "m.ubj", tmp_path / "m.onnx", sample=tmp_path / "rows.csv")
    assert made.notes == (
        "hue is a number: 0 = blue, 1 = green, 2 = red",
        "grade is a number: 0 = 2, 1 = 4, 2 = 5, 3 = 7",
    )
    answers = pipeline("table", str(tmp_path / "m.onnx"))(tmp_path / "rows.csv").data
    np.testing.assert_allclose([row["value"][0] for row in answers], model.predict(rows), rtol=1e-5)


def test_categories_that_xgboost_cut_off_are_not_told(tmp_path: Path) -> None:
    made = xgboost.export(painted(["été", "hiver"])[1], Request(), tmp_path / "m.onnx")
    assert (dict(made.categories), len(made.notes)) == ({}, 1)
    assert "hue is a number: the place of its category" in made.notes[0]


def test_what_is_no_model_of_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="a dict is not a model of XGBoost"):
        xgboost.export({}, Request(), tmp_path / "m.onnx")
