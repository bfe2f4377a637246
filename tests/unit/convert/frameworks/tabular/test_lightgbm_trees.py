"""Every kind of LightGBM model says in ONNX what LightGBM says."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import onnx
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from sardonyx.authoring import GraphWriter
from sardonyx.convert import from_lightgbm
from sardonyx.convert.frameworks.tabular import lightgbm_trees

KINDS = load_wine(return_X_y=True)
VALUES = load_diabetes(return_X_y=True)
TWO = load_breast_cancer(return_X_y=True)
QUICK = {"n_estimators": 8, "verbose": -1, "n_jobs": 1}
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}


def holed(rows: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    rows[::7, 3] = np.nan
    rows[::5, 0] = 0
    return rows


@pytest.mark.parametrize(
    "settings",
    [FOREST, {"objective": "multiclassova"}, {"boosting_type": "dart"}, {"linear_tree": True}],
    ids=str,
)
def test_classes(settings: dict[str, Any]) -> None:
    rows, goal = KINDS
    converted = from_lightgbm(lightgbm.LGBMClassifier(**QUICK, **settings).fit(rows, goal * 10))
    assert converted.parity.holds and converted.parity.largest_error < 1e-5
    assert not converted.notes


@pytest.mark.parametrize("settings", [FOREST, {"sigmoid": 2.0}, {"use_missing": False}], ids=str)
def test_two_classes_with_names_and_holes(settings: dict[str, Any]) -> None:
    rows, goal = holed(TWO[0]), np.array(["no", "yes"])[TWO[1]]
    model = lightgbm.LGBMClassifier(**QUICK, **settings).fit(rows, goal)
    assert from_lightgbm(model, sample=rows).parity.holds


@pytest.mark.parametrize(
    "settings",
    [
        *(FOREST, {"reg_sqrt": True}, {"linear_tree": True}),
        *(
            {"objective": name}
            for name in ("poisson", "gamma", "tweedie", "quantile", "huber", "fair", "mape")
        ),
    ],
    ids=str,
)
def test_values(settings: dict[str, Any]) -> None:
    rows, goal = VALUES
    converted = from_lightgbm(lightgbm.LGBMRegressor(**QUICK, **settings).fit(rows, goal))
    assert converted.parity.holds and converted.parity.largest_error < 1e-5


@pytest.mark.parametrize("objective", ["cross_entropy", "cross_entropy_lambda", "binary"])
def test_bare_boosters(objective: str) -> None:
    data = lightgbm.Dataset(TWO[0], TWO[1].astype(float))
    settings = {"objective": objective, "verbose": -1, "num_threads": 1}
    assert from_lightgbm(lightgbm.train(settings, data, 8)).parity.holds


@pytest.mark.parametrize("with_holes", [False, True])
def test_categories(with_holes: bool) -> None:
    rows = np.column_stack([np.arange(len(KINDS[1])) % 7, KINDS[0]])
    goal = (KINDS[1] + np.arange(len(KINDS[1])) % 7) % 3
    if with_holes:
        rows[::9, 0] = np.nan
    model = lightgbm.LGBMClassifier(**QUICK, min_data_per_group=5, cat_smooth=1)
    model.fit(rows, goal, categorical_feature=[0])
    strange = rows.copy()
    strange[::4, 0] = [-3.0, 99.0, 2.5] * 15
    assert from_lightgbm(model, sample=strange).parity.holds


def test_linear_leaves_give_their_plain_value_where_a_column_is_missing() -> None:
    rows, goal = holed(VALUES[0]), VALUES[1]
    rows[::11, [2, 8]] = np.nan
    model = lightgbm.LGBMRegressor(**QUICK, linear_tree=True).fit(rows, goal)
    assert from_lightgbm(model, sample=rows).parity.holds
    rows = np.full((1, rows.shape[1]), np.nan)
    ours = from_lightgbm(model).session().run(None, {"x": rows.astype(np.float32)})[0]
    np.testing.assert_allclose(ours[:, 0], model.predict(rows), rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_zeros_as_missing_values(shift: float) -> None:
    rows = holed(TWO[0]) + shift
    rows[::3, 4:9] = 0
    model = lightgbm.LGBMClassifier(**QUICK, zero_as_missing=True).fit(rows, TWO[1])
    assert from_lightgbm(model, sample=rows).parity.holds
    rows[:, :20] = [[0], [np.nan], [-0.0], [1e-36]] * (len(rows) // 4) + [[0]] * (len(rows) % 4)
    ours = from_lightgbm(model).session().run(None, {"x": rows.astype(np.float32)})
    np.testing.assert_allclose(ours[1], model.predict_proba(rows.astype(np.float32)), atol=1e-6)


def test_a_classifier_with_an_objective_of_its_own_answers_scores() -> None:
    def objective(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return scores - np.eye(3)[truth.astype(int)], np.ones_like(scores)

    model = lightgbm.LGBMClassifier(**QUICK, objective=objective).fit(*KINDS)
    converted = from_lightgbm(model, sample=KINDS[0])
    assert [output.name for output in converted.parity.outputs] == ["value"]
    assert converted.parity.holds


def test_what_a_dump_holds_is_written() -> None:
    rows, goal = VALUES
    dumped = lightgbm.LGBMRegressor(**QUICK).fit(rows[:, :3], goal).booster_.dump_model()
    graph = GraphWriter()
    outputs = lightgbm_trees.written(graph, dumped, None)
    (trees,) = (node for node in graph.nodes if node.op_type.startswith("TreeEnsemble"))
    held = {row.name: onnx.helper.get_attribute_value(row) for row in trees.attribute}
    assert max(held["nodes_treeids"]) + 1 == len(dumped["tree_info"]) == QUICK["n_estimators"]
    assert max(held["nodes_featureids"]) == 2
    assert outputs == {"value": (onnx.TensorProto.FLOAT, ["batch", 1])}


@pytest.mark.parametrize("has_missing", [False, True])
def test_cells_that_are_no_category_go_right(has_missing: bool) -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.normal(size=400), random.integers(0, 4, 400)], 1)
    goal = (rows[:, 0] > 0) ^ (rows[:, 1] % 2 == 0)
    rows[::7, 1] = np.nan if has_missing else rows[::7, 1]
    model = lightgbm.LGBMClassifier(**QUICK).fit(rows, goal, categorical_feature=[1])
    strange = [np.nan, np.inf, -np.inf, 0, -0.5, -1, 1.7, 4, 99, 3e9]
    asked = np.array([[size, cell] for cell in strange for size in (-0.1, 0.1)])
    ours = from_lightgbm(model).session().run(None, {"x": asked.astype(np.float32)})
    np.testing.assert_allclose(ours[1], model.predict_proba(asked), atol=1e-6)
