"""XGBoost's models: how they are opened, their columns, and names that the converter does not take."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as theirs

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks import xgboost

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
        ("binary:logistic", True),
        ("multi:softprob", True),
        ("reg:squarederror", False),
        ("reg:logistic", False),
    ],
)
def test_what_tells_classes(objective: str, expected: bool) -> None:
    booster = trained(objective, **({"num_class": 5} if "multi" in objective else {}))
    assert xgboost._is_classifier(booster) == expected


def test_files(tmp_path: Path) -> None:
    trained("binary:logistic").save_model(tmp_path / "m.ubj")
    trained("reg:squarederror").save_model(tmp_path / "m.json")
    (tmp_path / "broken.json").write_text('{"learner": {')
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"is": "pickled"}))
    assert isinstance(xgboost.load(str(tmp_path / "m.ubj"), Request()), theirs.XGBClassifier)
    assert isinstance(xgboost.load(str(tmp_path / "m.json"), Request()), theirs.XGBRegressor)
    assert xgboost.load(str(tmp_path / "m.pkl"), Request()) == {"is": "pickled"}
    with pytest.raises(ConvertError, match=r"broken\.json cannot be read by XGBoost: .*; is the file whole"):
        xgboost.load(str(tmp_path / "broken.json"), Request())


def test_columns_know_their_borders() -> None:
    one, other = xgboost._columns(trained("reg:squarederror"))
    assert (one.name, other.name, list(one.values)) == ("any name", "f9", [])
    assert list(other.values) == sorted(other.values) and 1 <= len(other.values) <= 6


def test_a_booster_is_exported_and_keeps_its_names(tmp_path: Path) -> None:
    booster = trained("binary:logistic")
    made = xgboost.export(booster, Request(), tmp_path / "m.onnx")
    assert booster.feature_names == ["any name", "f9"] and made.columns == ("any name", "f9")
    assert (made.outputs, made.drawn) == (("label", "probabilities"), True)
    rows = theirs.DMatrix(made.cases[0].feeds["x"], feature_names=booster.feature_names)
    np.testing.assert_allclose(made.cases[0].answers[1][:, 1], booster.predict(rows))
    np.testing.assert_array_equal(made.cases[0].answers[0], booster.predict(rows) > 0.5)


def test_estimators(tmp_path: Path) -> None:
    model = theirs.XGBRegressor(**SETTINGS).fit(ROWS, VALUES)
    made = xgboost.export(model, Request({"": ROWS[:3]}), tmp_path / "m.onnx")
    assert (made.outputs, made.labels, made.columns) == (("value",), (), ("f0", "f1"))
    np.testing.assert_allclose(made.cases[0].answers[0], model.predict(ROWS[:3]))


def test_names_come_back_after_an_error() -> None:
    booster = trained("reg:squarederror")
    with pytest.raises(ZeroDivisionError), xgboost._plain_names(booster):
        assert booster.feature_names is None
        _ = 1 / 0
    assert booster.feature_names == ["any name", "f9"]


def test_what_the_converter_says_is_passed_on(tmp_path: Path) -> None:
    booster = theirs.train({"booster": "gblinear", "nthread": 1}, theirs.DMatrix(ROWS, VALUES), 1)
    with pytest.raises(ConvertError, match="onnxmltools cannot convert this XGBoost model: .+"):
        xgboost.export(booster, Request(), tmp_path / "m.onnx")
