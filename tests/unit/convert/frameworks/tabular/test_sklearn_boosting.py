"""LightGBM and XGBoost inside pipelines of scikit-learn say in ONNX what the pipeline says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_boosting

FRAME, KINDS = load_wine(return_X_y=True, as_frame=True)
ROWS = FRAME[["alcohol", "ash", "hue"]].assign(soil=np.array(["clay", "sand", "loam"])[np.arange(178) % 3])
NAMES = np.array(["low", "middle", "high"])[KINDS]
LEAVES: dict[str, Any] = {"n_estimators": 4, "n_jobs": 1, "verbose": -1}
TREES: dict[str, Any] = {"n_estimators": 4, "n_jobs": 1, "verbosity": 0}
DART = {"booster": "dart", "rate_drop": 0.5}


def columns(encoder: Any = None) -> ColumnTransformer:
    numbers = MinMaxScaler() if encoder is None else "passthrough"
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("n", numbers, ["alcohol", "ash", "hue"]), ("c", encoder, ["soil"])])


@pytest.mark.parametrize(
    ("model", "goal"),
    [
        (LGBMClassifier(**LEAVES), NAMES),
        (LGBMClassifier(**LEAVES, boosting_type="rf", bagging_freq=1, bagging_fraction=0.7), NAMES),
        (LGBMClassifier(**LEAVES, objective="multiclassova"), KINDS),
        (LGBMClassifier(**LEAVES), NAMES == "low"),
        (LGBMRegressor(**LEAVES, linear_tree=True), FRAME.proline),
        (XGBClassifier(**TREES), KINDS),
        (XGBClassifier(**TREES, **DART), KINDS > 0),
        (XGBClassifier(**TREES, booster="gblinear"), KINDS),
        (XGBRFClassifier(**TREES), KINDS),
        (XGBRegressor(**TREES, objective="reg:gamma"), FRAME.proline),
        (XGBRegressor(**TREES), FRAME[["proline", "magnesium"]]),
    ],
    ids=lambda value: " ".join(repr(value).split())[:40] if hasattr(value, "fit") else "",
)
def test_behind_columns(model: Any, goal: Any) -> None:
    pipeline = make_pipeline(columns(), model).fit(ROWS, goal)
    parity = from_sklearn(pipeline, sample=ROWS).parity
    assert parity.holds and parity.largest_error < 1e-5


def test_categories_by_number() -> None:
    model = LGBMClassifier(**LEAVES, min_data_per_group=5, cat_smooth=1)
    pipeline = make_pipeline(columns(OrdinalEncoder()), model)
    pipeline.fit(ROWS, (KINDS + np.arange(178)) % 3, lgbmclassifier__categorical_feature=[3])
    assert from_sklearn(pipeline, sample=ROWS).parity.holds


def test_missing_values() -> None:
    rows = FRAME.to_numpy().copy()
    rows[::5, 3] = np.nan
    for model in (LGBMClassifier(**LEAVES), XGBClassifier(**TREES)):
        pipeline = make_pipeline(VarianceThreshold(0.01), model).fit(rows, KINDS)
        assert from_sklearn(pipeline, sample=rows).parity.holds


@pytest.mark.parametrize(
    ("model", "goal"),
    [
        (CalibratedClassifierCV(LGBMClassifier(**LEAVES), cv=2), KINDS),
        (CalibratedClassifierCV(LGBMClassifier(**LEAVES), cv=2), KINDS > 0),
        (CalibratedClassifierCV(XGBClassifier(**TREES), cv=2), KINDS),
        (
            VotingClassifier(
                [("a", XGBClassifier(**TREES)), ("b", GaussianNB())], voting="soft", flatten_transform=False
            ),
            KINDS,
        ),
        (StackingRegressor([("a", LGBMRegressor(**LEAVES)), ("b", XGBRegressor(**TREES))], Ridge()), KINDS),
    ],
    ids=("calibrated", "of two classes", "of XGBoost", "voting", "stacking"),
)
def test_inside_other_estimators(model: Any, goal: Any) -> None:
    rows = FRAME.to_numpy()[:, :5] / 10
    assert from_sklearn(model.fit(rows, goal), sample=rows).parity.holds


def test_columns_of_a_frame_without_steps() -> None:
    frame = pandas.DataFrame({"a": FRAME.alcohol, "b": FRAME.hue})
    model = make_pipeline(LGBMClassifier(**LEAVES)).fit(frame, KINDS)
    assert from_sklearn(model, sample=frame).parity.holds


def test_registrations_are_taken_back() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_boosting.registered():
        assert known[LGBMClassifier] == "SardonyxLGBMClassifier"
    assert known == before
