"""Every kind of XGBoost model says in ONNX what XGBoost says, as an estimator and as a bare booster."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from sardonyx.authoring import GraphWriter
from sardonyx.convert import ConvertError, from_xgboost
from sardonyx.convert.frameworks.tabular import xgboost_trees
from sardonyx.convert.frameworks.tabular.xgboost import described

KINDS = load_wine(return_X_y=True)
VALUES = load_diabetes(return_X_y=True)
TWO = load_breast_cancer(return_X_y=True)
QUICK: dict[str, Any] = {"n_estimators": 6, "max_depth": 3, "n_jobs": 1, "verbosity": 0}
DART = {"booster": "dart", "rate_drop": 0.5}
FOREST = {"num_parallel_tree": 4, "subsample": 0.5, "colsample_bynode": 0.5}
LINE = {"booster": "gblinear"}
VECTORS = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}


def holed(rows: np.ndarray) -> np.ndarray:
    rows = rows / np.abs(rows).max(0)
    rows[::7, 3] = np.nan
    rows[::5, 0] = 0
    return rows


def agrees(model: Any, rows: np.ndarray) -> None:
    for source in (model, model.get_booster()):
        parity = from_xgboost(source, sample=rows).parity
        assert parity.holds and parity.largest_error < 5e-6


@pytest.mark.parametrize(
    "settings",
    [{}, DART, FOREST, LINE, VECTORS, {"objective": "multi:softmax"}, {"base_score": 0.2}],
    ids=str,
)
def test_classes(settings: dict[str, Any]) -> None:
    rows = holed(KINDS[0])
    agrees(xgboost.XGBClassifier(**QUICK, **settings).fit(rows, KINDS[1]), rows)


@pytest.mark.parametrize(
    "settings",
    [
        *({}, DART, FOREST, LINE, {"base_score": 0.3}, {"missing": 0.0}, {**LINE, "missing": 0.0}),
        *({"objective": "binary:hinge"}, {"objective": "binary:logitraw", "base_score": 0.3}),
    ],
    ids=str,
)
def test_two_classes(settings: dict[str, Any]) -> None:
    rows = holed(TWO[0])
    agrees(xgboost.XGBClassifier(**QUICK, **settings).fit(rows, TWO[1]), rows)


def test_forests_of_one_round() -> None:
    agrees(xgboost.XGBRFClassifier(n_estimators=6, verbosity=0).fit(*KINDS), KINDS[0])
    agrees(xgboost.XGBRFRegressor(n_estimators=6, verbosity=0).fit(*VALUES), VALUES[0])


@pytest.mark.parametrize(
    "settings",
    [
        *({}, DART, FOREST, LINE, {"base_score": 100.0}),
        *({"objective": f"reg:{name}"} for name in ("absoluteerror", "gamma", "tweedie", "logistic")),
        {"objective": "reg:logistic", "base_score": 0.2},
        {"objective": "count:poisson", "base_score": 2.0},
        {"objective": "survival:cox"},
        {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]},
    ],
    ids=str,
)
def test_values(settings: dict[str, Any]) -> None:
    goal = VALUES[1] / 400 if settings.get("objective") == "reg:logistic" else VALUES[1]
    rows = holed(VALUES[0])
    agrees(xgboost.XGBRegressor(**QUICK, **settings).fit(rows, goal), rows)


@pytest.mark.parametrize("settings", [{}, DART, LINE, VECTORS], ids=str)
def test_several_goals(settings: dict[str, Any]) -> None:
    goals = np.stack([VALUES[1], -2 * VALUES[1]], 1)
    agrees(xgboost.XGBRegressor(**QUICK, **settings).fit(VALUES[0], goals), VALUES[0])


def test_several_labels() -> None:
    labels = np.stack([TWO[1], TWO[0][:, 0] > 13], 1)
    agrees(xgboost.XGBClassifier(**QUICK).fit(TWO[0], labels), TWO[0])


@pytest.mark.parametrize("objective", ["rank:ndcg", "rank:pairwise", "rank:map"])
def test_ranks(objective: str) -> None:
    goal = KINDS[1] % 2 if objective == "rank:map" else KINDS[1]
    model = xgboost.XGBRanker(**QUICK, objective=objective).fit(KINDS[0], goal, group=[100, 78])
    assert len(set(model.predict(KINDS[0]))) > 2
    agrees(model, KINDS[0])


def test_bare_survival() -> None:
    matrix = xgboost.DMatrix(VALUES[0])
    matrix.set_float_info("label_lower_bound", VALUES[1])
    matrix.set_float_info("label_upper_bound", VALUES[1] + 5)
    booster = xgboost.train(
        {"objective": "survival:aft", "base_score": 2.0, "nthread": 1, "verbosity": 0}, matrix, 6
    )
    assert from_xgboost(booster, sample=VALUES[0]).parity.holds


@pytest.mark.parametrize("largest_onehot", [1, 100])
def test_categories(largest_onehot: int) -> None:
    code = np.arange(len(KINDS[1])) % 7
    rows = np.column_stack([code.astype(float), KINDS[0]])
    rows[::9, 0] = np.nan
    settings = {**QUICK, "enable_categorical": True, "max_cat_to_onehot": largest_onehot}
    model = xgboost.XGBClassifier(**settings, feature_types=["c"] + ["q"] * 13)
    model.fit(rows, (KINDS[1] + code) % 3)
    rows[::4, 0] = np.resize([-3.0, 99.0, 2.5, -0.5, 6.99, 1e8], 45)
    agrees(model, rows)


def test_what_has_no_way_is_named() -> None:
    learner = described(xgboost.XGBRegressor(**QUICK).fit(*VALUES)).learner
    strange = {**learner, "objective": {"name": "reg2:strange"}}
    with pytest.raises(ConvertError, match="'reg2:strange' of this XGBoost model is not known"):
        xgboost_trees.written(GraphWriter(), xgboost_trees.Model(strange), None)
    with pytest.raises(ConvertError, match="has no trees"):
        xgboost_trees.written(GraphWriter(), xgboost_trees.Model(learner, rounds=0), None)
    vectors = xgboost.XGBRegressor(**QUICK, **VECTORS).fit(VALUES[0], np.stack([VALUES[1]] * 2, 1))
    old = described(vectors).learner
    for tree in old["gradient_booster"]["model"]["trees"]:
        del tree["leaf_weights"]
    with pytest.raises(ConvertError, match=r"XGBoost 3\.2"):
        xgboost_trees.written(GraphWriter(), xgboost_trees.Model(old), None)


def test_a_base_score_is_a_number_or_a_list() -> None:
    learner = described(xgboost.XGBRegressor(**QUICK).fit(*VALUES)).learner
    for told in ("5E-1", "[5E-1]"):
        learner["learner_model_param"]["base_score"] = told
        assert xgboost_trees.Model(learner).base().tolist() == [0.5]
