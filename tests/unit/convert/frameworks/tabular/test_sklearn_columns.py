"""What a fitted model tells of its columns: names, texts, borders, and where its points lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    LabelBinarizer,
    LabelEncoder,
    MinMaxScaler,
    MultiLabelBinarizer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from sardonyx.convert import from_sklearn
from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.sklearn_columns import (
    _chosen,
    first_step,
    is_text_reader,
    last_step,
    table_of,
)

ROWS = np.stack([np.arange(12.0), 100 + np.arange(12.0) * 10], 1)
GOAL = (ROWS[:, 0] > 5).astype(float)
FRAME = pandas.DataFrame({"size": ROWS[:, 0], "kind": ["a", "b", "c"] * 4})
MIXED = ColumnTransformer([("n", StandardScaler(), ["size"]), ("k", OneHotEncoder(), ["kind"])])


def values_of(model: Any, at: int) -> list[Any]:
    return list(table_of(model).columns[at].values)


def test_steps() -> None:
    inner = make_pipeline(StandardScaler(), MinMaxScaler())
    outer = Pipeline([("a", inner), ("b", GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2))])
    assert isinstance(first_step(outer), StandardScaler) and isinstance(last_step(outer), GridSearchCV)
    assert isinstance(last_step(outer.fit(ROWS, GOAL)), Ridge)
    passing = Pipeline([("a", "passthrough"), ("b", Ridge())])
    assert first_step(passing) is passing


def test_a_matrix_has_made_up_names() -> None:
    table = table_of(make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, GOAL))
    assert (table.names, table.separate, table.named) == (["x0", "x1"], False, False)
    assert [(column.centre, column.spread) for column in table.columns] == [
        (pytest.approx(ROWS[:, at].mean()), pytest.approx(ROWS[:, at].std())) for at in range(2)
    ]


def test_mixed_columns_are_inputs_of_their_own() -> None:
    table = table_of(make_pipeline(MIXED, LinearRegression()).fit(FRAME, GOAL))
    assert (table.names, table.separate, table.named) == (["size", "kind"], True, True)
    size, kind = table.columns
    assert (size.is_text, size.centre) == (False, 5.5)
    assert (kind.is_text, list(kind.values)) == (True, ["a", "b", "c"])


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(max_depth=1),
        RandomForestRegressor(3, max_depth=1, bootstrap=False, max_features=None),
    ],
)
def test_borders_of_trees(model: Any) -> None:
    model.fit(ROWS[:, :1], GOAL)
    assert set(values_of(model, 0)) == {5.5} or table_of(model).columns[0].centre == 5.5


def test_borders_of_histograms() -> None:
    with threadpool_limits(1):
        model = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1).fit(ROWS, GOAL)
    found = [value for at in (0, 1) for value in values_of(model, at)] + [
        c.centre for c in table_of(model).columns
    ]
    assert any(5 <= value <= 6 or 150 <= value <= 160 for value in found)


def test_points() -> None:
    model = KMeans(2, n_init=1, random_state=0).fit(ROWS)
    assert sorted(values_of(model, 0)) == sorted(model.cluster_centers_[:, 0])


def test_readers_of_texts() -> None:
    reader = TfidfVectorizer().fit(["the red car", "the blue car"])
    assert is_text_reader(reader) and not is_text_reader(Ridge())
    table = table_of(make_pipeline(reader, Ridge()))
    assert (table.names, table.separate, table.columns[0].is_text) == (["text"], True, True)
    columns = ColumnTransformer([("t", TfidfVectorizer(), "kind"), ("n", "passthrough", ["size"])])
    texts = FRAME.assign(kind=["red car", "blue car"] * 6)
    assert {"red", "car", ""} <= set(values_of(columns.fit(texts), 1))


def test_what_was_not_fitted() -> None:
    with pytest.raises(ConvertError, match="DictVectorizer reads no table of columns, and has no ONNX form"):
        table_of(DictVectorizer())
    with pytest.raises(ConvertError, match="Ridge has no number of features; was it fitted"):
        table_of(Ridge())


@pytest.mark.parametrize(
    ("model", "labels", "instead"),
    [
        (LabelEncoder(), ["a", "b"], "OrdinalEncoder"),
        (LabelBinarizer(), ["a", "b"], "OneHotEncoder"),
        (MultiLabelBinarizer(), [["a"], ["b", "c"]], "OneHotEncoder"),
    ],
)
def test_what_encodes_labels(model: Any, labels: Any, instead: str) -> None:
    with pytest.raises(ConvertError, match=f"encodes labels, not columns.* or encode columns with {instead}"):
        from_sklearn(model.fit(labels))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (slice(1, None), [5, 6]),
        ("b", [1]),
        (["c", "a"], [2, 0]),
        ([True, False, True], [4, 6]),
        (np.array([2, 0]), [6, 4]),
        (1, [5]),
        ([], []),
    ],
)
def test_chosen_columns(chosen: Any, expected: list[int]) -> None:
    assert _chosen(chosen, [4, 5, 6], ["a", "b", "c"]) == expected


def test_columns_named_like_what_a_model_makes() -> None:
    names = ["label", "probabilities", "variable", "a.b", "shape_tensor", "label of"]
    rows = pandas.DataFrame(
        {name: np.random.default_rng(at).normal(size=40) for at, name in enumerate(names)}
    )
    rows["variable"] = ["x", "y"] * 20
    columns = ColumnTransformer([("kinds", OneHotEncoder(), ["variable"])], remainder=StandardScaler())
    model = make_pipeline(columns, LogisticRegression()).fit(rows, rows["label"] > 0)
    made = from_sklearn(model, sample=rows)
    session = made.session()
    assert [value.name for value in session.get_inputs()] == names
    assert [value.name for value in session.get_outputs()] == [
        "label of the model",
        "probabilities of the model",
    ]
    assert made.parity.holds
