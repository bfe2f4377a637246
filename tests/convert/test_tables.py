"""Fitted estimators of the frameworks for tables convert, live and from files, and say what they said."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import sardonyx
from sardonyx.convert import ConvertError, convert, from_lightgbm, from_sklearn, from_xgboost
from sardonyx.convert.framework import PickleWarning

FRAME, CLASSES = load_wine(return_X_y=True, as_frame=True)
MATRIX = FRAME.to_numpy()
MIXED = FRAME[["alcohol", "ash"]].assign(hue=np.where(FRAME.hue > 1, "red", "white"))


def mixed_pipeline() -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("n", numbers, ["alcohol", "ash"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["hue"])]
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5))


LEVELS = np.array(["low", "middle", "high"])[CLASSES]
ESTIMATORS = {
    "linear": (make_pipeline(StandardScaler(), LogisticRegression()), FRAME, CLASSES),
    "forest": (RandomForestClassifier(10, random_state=0), MATRIX, CLASSES),
    "Bayes": (GaussianNB(), MATRIX, CLASSES),
    "support vectors": (make_pipeline(StandardScaler(), LinearSVC()), MATRIX, CLASSES),
    "regression": (Ridge(), MATRIX, CLASSES),
    "scaler": (StandardScaler(), FRAME, None),
    "texts": (make_pipeline(TfidfVectorizer(), Ridge()), ["a word", "two words"], [0, 1]),
    "mixed": (mixed_pipeline(), MIXED, LEVELS),
    "LightGBM": (
        make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(n_estimators=4, verbose=-1)),
        *(FRAME, CLASSES),
    ),
}


class Louder(xgboost.XGBRegressor):
    """Predicts differently than its trees."""

    def predict(self, *rows: Any, **settings: Any) -> Any:
        return 2 * super().predict(*rows, **settings)


def fitted(name: str) -> Any:
    model, rows, goal = ESTIMATORS[name]
    return clone(model).fit(rows, goal)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_live_estimators_convert(name: str) -> None:
    converted = from_sklearn(fitted(name))
    assert converted.parity.holds and converted.parity.drawn
    assert len(converted.parity.outputs) == len(converted.session().get_outputs())


def test_boosters_convert() -> None:
    booster = lightgbm.LGBMRegressor(n_estimators=4, verbose=-1).fit(MATRIX, CLASSES).booster_
    assert from_lightgbm(booster, sample=MATRIX).parity.holds
    model = xgboost.XGBClassifier(n_estimators=4).fit(FRAME, CLASSES > 0)
    for source in (model, model.get_booster()):
        converted = from_xgboost(source, sample=FRAME)
        assert converted.parity.holds and not converted.parity.drawn
    assert model.get_booster().feature_names == list(FRAME.columns)


@pytest.mark.parametrize("label", [0, 7, "only"])
def test_a_single_class_has_the_probability_of_a_second(label: Any) -> None:
    labels = np.full(len(MATRIX), label)
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(MATRIX, labels)
    answered, likely = from_lightgbm(model).session().run(None, {"x": MATRIX[:3].astype(np.float32)})
    assert answered.tolist() == [label] * 3 and likely.shape == (3, 2)
    if label == 0:
        boosted = xgboost.XGBClassifier(n_estimators=2).fit(MATRIX, labels)
        assert from_xgboost(boosted).parity.holds


SPLINED = np.random.default_rng(0).normal(size=(40, 3))


def fitted_splines() -> Any:
    """Splines over rows that lie beyond their limits once they are rounded to float32."""
    return make_pipeline(SplineTransformer(extrapolation="error"), Ridge()).fit(SPLINED, SPLINED[:, 0])


def test_rows_that_only_float64_holds_are_taken_as_that() -> None:
    model = fitted_splines()
    assert model.predict(SPLINED).shape == (40,)
    with pytest.raises(ValueError, match="beyond the limits"):
        model.predict(SPLINED.astype(np.float32))
    assert convert(model, sample=SPLINED).session().get_inputs()[0].type == "tensor(double)"
    with pytest.raises(ConvertError, match="the model itself fails on the sample: ValueError: .* beyond"):
        convert(model, sample=10 * SPLINED)


@pytest.mark.slow
def test_rows_that_only_float64_holds_are_taken_as_that_from_a_file(tmp_path: Path) -> None:
    joblib.dump(fitted_splines(), tmp_path / "splines.joblib")
    with pytest.warns(PickleWarning):
        converted = convert(str(tmp_path / "splines.joblib"), sample=SPLINED)
    assert converted.session().get_inputs()[0].type == "tensor(double)"


def test_raw_columns_are_inputs_by_name(tmp_path: Path) -> None:
    converted = from_sklearn(fitted("mixed"), sample=MIXED)
    session = sardonyx.InferenceSession(str(converted.save(tmp_path / "new" / "model.onnx")))
    assert [(row.name, row.type, row.shape) for row in session.get_inputs()] == [
        ("alcohol", "tensor(float)", ["batch", 1]),
        ("ash", "tensor(float)", ["batch", 1]),
        ("hue", "tensor(string)", ["batch", 1]),
    ]
    assert [row.name for row in session.get_outputs()] == ["label", "probabilities"]
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["labels"] == '["high", "low", "middle"]' and facts["converted_from"] == "scikit-learn"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    "suffix",
    ["txt", *(pytest.param(s, marks=pytest.mark.slow) for s in ("joblib", "pkl.gz", "skops", "ubj"))],
)
def test_files_convert(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m.{suffix}"
    if suffix == "txt":
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(MATRIX, CLASSES).booster_.save_model(path)
    elif suffix == "ubj":
        xgboost.XGBClassifier(n_estimators=3).fit(MATRIX, CLASSES).save_model(path)
    else:
        import_module("skops.io" if suffix == "skops" else "joblib").dump(fitted("linear"), path)
    sample = tmp_path / "sample.csv"
    FRAME.to_csv(sample, index=False)
    runs_code = suffix in ("joblib", "pkl.gz")
    warned = pytest.warns(PickleWarning, match=f"m.{suffix} runs code") if runs_code else nullcontext()
    with warned:
        converted = convert(path, tmp_path / "m.onnx", sample=sample)
    assert converted.parity.holds and not converted.parity.drawn
    facts = sardonyx.InferenceSession(str(tmp_path / "m.onnx")).get_modelmeta().custom_metadata_map
    assert facts["source"] == path.name and len(facts["source_sha256"]) == 64


def test_what_cannot_be_converted_is_named() -> None:
    with pytest.raises(ConvertError, match="was not fitted"):
        from_sklearn(Ridge())
    root = make_pipeline(FunctionTransformer(np.cbrt), Ridge()).fit(MATRIX, CLASSES)
    with pytest.raises(ConvertError, match="FunctionTransformer"):
        from_sklearn(root)
    with pytest.raises(ConvertError, match="scikit-learn .* cannot run: .*Solve"):
        convert(GaussianProcessClassifier().fit(MATRIX[:9], MATRIX[:9, 0] > MATRIX[0, 0]), sample=MATRIX[:9])
    with pytest.raises(ConvertError, match="not of a framework known here"):
        convert(object())


def test_what_is_written_wrong_is_told_as_that() -> None:
    stacked = StackingClassifier([("a", SVC()), ("b", GaussianNB())], cv=2)
    with pytest.raises(ConvertError, match="was written as one that cannot run"):
        from_sklearn(stacked.fit(MATRIX, CLASSES > 0), sample=MATRIX)


def test_a_sample_must_fit() -> None:
    model = fitted("mixed")
    with pytest.raises(ConvertError, match="no column 'hue'"):
        from_sklearn(model, sample=MIXED.drop(columns="hue"))
    with pytest.raises(ConvertError, match="'ash' of the sample is not a number"):
        from_sklearn(model, sample=MIXED.assign(ash="dust"))
    with pytest.raises(ConvertError, match="reads 13 columns"):
        from_sklearn(fitted("linear"), sample=MATRIX[:, :4])


def test_a_model_that_says_something_else_is_not_written(tmp_path: Path) -> None:
    model = Louder(n_estimators=4).fit(MATRIX, CLASSES)
    with pytest.raises(ConvertError, match="does not say what XGBoost says"):
        convert(model, tmp_path / "m.onnx", sample=MATRIX)
    assert not list(tmp_path.iterdir())
    forced = convert(model, tmp_path / "m.onnx", force=True)
    assert not forced.parity.holds and (tmp_path / "m.onnx").is_file()
