"""Trees behind a scaler: rows on a border that the model learned go the way they go in scikit-learn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_trees

FEW: dict[str, Any] = {"n_estimators": 20, "random_state": 0}
GRID = np.round(np.random.default_rng(0).normal(1000, 3, (1500, 4)), 2)
GOAL = ((GRID[:, 0] - 1000) * (GRID[:, 1] - 1000) > 1).astype(int)
FOREST = RandomForestClassifier(**FEW)
MODELS = (
    *(FOREST, DecisionTreeClassifier(random_state=0), GradientBoostingClassifier(**FEW, max_depth=6)),
    *(ExtraTreesRegressor(**FEW), XGBClassifier(n_estimators=20, n_jobs=1)),
    *(HistGradientBoostingClassifier(max_iter=20), HistGradientBoostingRegressor(max_iter=20)),
    HistGradientBoostingClassifier(max_iter=20, categorical_features=[3]),
    *(
        LGBMClassifier(**FEW, n_jobs=1, verbose=-1),
        LGBMRegressor(**FEW, n_jobs=1, verbose=-1, linear_tree=True),
    ),
    VotingClassifier(
        [("forest", FOREST), ("tree", DecisionTreeClassifier(random_state=0))],
        voting="soft",
        flatten_transform=False,
    ),
)


def behind_a_scaler(model: Any) -> tuple[Any, np.ndarray]:
    rows = GRID.copy()
    if getattr(model, "categorical_features", None):
        rows[:, 3] = np.arange(len(rows)) % 5
        return model.fit(rows, GOAL), rows
    return make_pipeline(StandardScaler(), model).fit(rows, GOAL), rows


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("double", [False, True], ids=["asked", "told"])
def test_nothing_crosses_a_border(model: Any, double: bool) -> None:
    fitted, rows = behind_a_scaler(model)
    made = from_sklearn(fitted, sample=rows, double=double)
    assert made.parity.holds and all(output.differing == 0 for output in made.parity.outputs)
    if double:
        assert made.session().get_inputs()[0].type == "tensor(double)"


def test_who_did_not_ask_for_float64_is_told_why_columns_have_it() -> None:
    fitted, rows = behind_a_scaler(RandomForestClassifier(**FEW))
    made = from_sklearn(fitted, sample=rows)
    assert made.session().get_inputs()[0].type == "tensor(double)"
    assert "columns are float64: in float32 some became equal" in made.notes[-1]
    stored = made.session().get_modelmeta().custom_metadata_map["notes"]
    assert json.loads(stored) == list(made.notes), "the file alone tells it too"
    plain = from_sklearn(RandomForestClassifier(**FEW).fit(rows, GOAL), sample=rows)
    assert plain.session().get_inputs()[0].type == "tensor(float)" and plain.notes == ()


def test_converters_stay_for_as_long_as_they_are_wanted() -> None:
    from skl2onnx import _supported_operators as known

    before = dict(known.sklearn_operator_name_map)
    with sklearn_trees.registered():
        names = {known.sklearn_operator_name_map[kind] for kind in sklearn_trees.kinds()}
        assert names == {f"Sardonyx{kind.__name__}" for kind in sklearn_trees.kinds()}
    assert known.sklearn_operator_name_map == before
