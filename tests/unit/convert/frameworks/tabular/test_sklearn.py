"""Which answers of an estimator its ONNX outputs stand for, and what is said of what has no ONNX form."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import NMF
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sardonyx.convert import from_sklearn
from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.tabular import sklearn

ROWS = np.arange(24, dtype=np.float64).reshape(12, 2)
GOAL = np.array(["low", "high"] * 6)
REPLACE = "; replace the part that it names, or move it in front of the model"


class Doubled(TransformerMixin, BaseEstimator):
    """An own step, of which skl2onnx knows nothing."""

    n_features_in_ = 2

    def fit(self, rows: Any, goal: Any = None) -> Doubled:
        return self

    def transform(self, rows: Any) -> Any:
        return rows * 2

    def __sklearn_is_fitted__(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("model", "asked", "names"),
    [
        (GaussianNB(), ("predict", "predict_proba"), ("label", "probabilities")),
        (LinearSVC(), ("predict", "decision_function"), ("label", "scores")),
        (IsolationForest(), ("predict", "decision_function"), ("label", "scores")),
        (KMeans(), ("predict", "transform"), ("label", "distances")),
        (LinearRegression(), ("predict",), ("value",)),
        (StandardScaler(), ("transform",), ("features",)),
        (
            make_pipeline(StandardScaler(), Perceptron()),
            ("predict", "decision_function"),
            ("label", "scores"),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_answers(model: Any, asked: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert sklearn.answers_of(model) == (asked, names)


def test_what_answers_nothing() -> None:
    with pytest.raises(ConvertError, match="DBSCAN neither predicts nor transforms"):
        sklearn.answers_of(DBSCAN())


def test_files(tmp_path: Path) -> None:
    for name, made in (("m.pkl", LinearRegression()), ("d.pkl", {"a": 1})):
        (tmp_path / name).write_bytes(pickle.dumps(made))
    assert isinstance(sklearn.load(str(tmp_path / "m.pkl"), Request()), LinearRegression)
    with pytest.raises(ConvertError, match=r"d\.pkl holds a dict, which is not an estimator"):
        sklearn.load(str(tmp_path / "d.pkl"), Request())


def test_a_classifier_is_exported(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, GOAL)
    made = sklearn.export(model, Request({"": ROWS[:3]}, double=True, opset=15), tmp_path / "m.onnx")
    assert (made.outputs, made.labels, made.columns) == (
        ("label", "probabilities"),
        ("high", "low"),
        ("x0", "x1"),
    )
    assert [case.feeds["x"].shape for case in made.cases] == [(3, 2), (1, 2)]
    assert made.cases[0].answers[0].tolist() == model.predict(ROWS[:3]).tolist()
    written = onnx.load(tmp_path / "m.onnx")
    assert written.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    assert next(row.version for row in written.opset_import if not row.domain) <= 15
    assert not any(node.op_type == "ZipMap" for node in written.graph.node)


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="LinearRegression was not fitted yet; fit it first"):
        sklearn.export(LinearRegression(), Request(), tmp_path / "m.onnx")
    model = make_pipeline(Doubled(), LinearRegression()).fit(ROWS, ROWS[:, 0])
    with pytest.raises(ConvertError, match="a part of this Pipeline has no ONNX form: .*Replace it by one"):
        sklearn.export(model, Request(), tmp_path / "m.onnx")
    assert (
        sklearn._refusal(model, ValueError("one\ntwo"))
        == "skl2onnx cannot convert this Pipeline (ValueError: one)" + REPLACE
    )
    assert (
        sklearn._refusal(model, ValueError())
        == "skl2onnx cannot convert this Pipeline (ValueError: ValueError)" + REPLACE
    )


def test_what_solves_for_each_row(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="NMF has no ONNX form, since it solves anew for each row it"):
        sklearn.export(NMF(1, tol=0, max_iter=5).fit(ROWS), Request(), tmp_path / "m.onnx")


def test_classes_are_those_of_the_last_step() -> None:
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2).fit(ROWS, GOAL)
    assert list(sklearn._classes(search)) == ["high", "low"]
    assert sklearn._classes(SimpleNamespace(classes_=[np.array([0, 1]), np.array([0, 2])])) == ()
    assert sklearn._classes(StandardScaler()) == ()


def test_columns_get_their_names_back() -> None:
    graph = onnx.parser.parse_graph(
        "g (float[N, 1] a_b, float[N, 1] c) => (float[N, 1] y) { y = Add(a_b, c) }"
    )
    sklearn._rename_inputs(graph, ["a.b", "c"])
    assert [value.name for value in graph.input] == list(graph.node[0].input) == ["a.b", "c"]


def test_probabilities_of_several_labels_are_one_array() -> None:
    assert sklearn._stacked([np.zeros((3, 2)), np.ones((3, 2))]).shape == (2, 3, 2)
    assert sklearn._stacked("as it is") == "as it is"


SEARCHES = [
    RandomizedSearchCV(Ridge(), {"alpha": [0.5, 2.0]}, n_iter=2),
    GridSearchCV(RFE(Ridge()), {"step": [1]}),
]


@pytest.mark.parametrize("model", [*SEARCHES, RFE(LogisticRegression())])
def test_searches_and_selections(model: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 4))
    assert from_sklearn(model.fit(rows, rows[:, 0] > 0), sample=rows).parity.holds


def test_densities_are_refused_in_words() -> None:
    with pytest.raises(ConvertError, match="KernelDensity neither predicts nor transforms"):
        from_sklearn(KernelDensity().fit(ROWS))


def test_labels_of_different_numbers_of_classes_are_refused_in_words() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    goals = np.stack([np.arange(30) % 3, np.arange(30) % 2], 1)
    model = RandomForestClassifier(2).fit(rows, goals)
    with pytest.raises(ConvertError, match="^the labels that the model predicts have 3, 2 classes"):
        from_sklearn(model, sample=rows)


@pytest.mark.parametrize("options", [{}, {"ngram_range": (1, 2)}, {"lowercase": False, "binary": True}])
def test_words_are_those_of_scikit_learn(options: dict[str, Any]) -> None:
    """Of any language, and those of one letter are none, also between two others."""
    texts = ["Über die naïve Façade", "I saw a cat", "Žluťoučký kůň", "眠い 猫 a 猫たち", "x_1 y", ""] * 5
    reader = CountVectorizer(**options)
    for model in (reader, make_pipeline(reader, LogisticRegression())):
        assert from_sklearn(model.fit(texts, np.arange(30) % 3), sample=np.array(texts)).parity.holds


def test_columns_that_a_classifier_selects() -> None:
    chosen = RFE(LogisticRegression(), n_features_to_select=1)
    model = make_pipeline(chosen, LogisticRegression()).fit(ROWS, GOAL)
    assert from_sklearn(model, sample=ROWS).parity.holds
