"""Encoders say as ONNX what they say, of rare and missing categories and of such as were never seen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_encoders

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")
HUES = ["red"] * 9 + ["blue"] * 8 + ["pink", "grey", "teal"]
SIZES = [3] * 10 + [5] * 8 + [7, 9]
STRANGE = [*HUES[-3:], "never", "", "red"]
LIKELY = {"handle_unknown": "infrequent_if_exist"}
RARE = {"min_frequency": 2, **LIKELY}
MISSING = np.array([1.0, 2, 2.5, np.nan] * 5).reshape(-1, 1)
MIXED = pandas.DataFrame(
    {"text": [*HUES[:17], None, None, "pink"], "whole": SIZES, "part": MISSING[:, 0] / 10, "one": 1}
)
GOAL = np.arange(20) % 3


def said(model: Any, rows: Any) -> np.ndarray:
    answer = model.transform(rows)
    return answer.toarray() if hasattr(answer, "toarray") else answer


@pytest.mark.parametrize(
    "options",
    [
        RARE,
        {"max_categories": 2, **LIKELY},
        {"min_frequency": 2, "handle_unknown": "warn"},
        {"min_frequency": 30, **LIKELY},
        {"min_frequency": 2, "handle_unknown": "ignore"},
        {**RARE, "dtype": np.int64},
        {**RARE, "sparse_output": False},
        LIKELY,
        {"drop": "first", "handle_unknown": "ignore"},
        {"drop": "first", **RARE},
        {"handle_unknown": "ignore"},
    ],
    ids=str,
)
@pytest.mark.parametrize("beside", [False, True])
def test_texts(options: dict[str, Any], beside: bool) -> None:
    rows = pandas.DataFrame({"hue": HUES, "kind": HUES[::-1]} if beside else {"hue": HUES})
    model = OneHotEncoder(**options).fit(rows)
    asked = pandas.DataFrame(dict.fromkeys(rows, STRANGE))
    made = from_sklearn(model, sample=asked)
    ours = made.session().run(None, {i.name: asked.to_numpy(object) for i in made.session().get_inputs()})
    np.testing.assert_array_equal(ours[0], said(model, asked))


def test_columns_of_texts_and_numbers() -> None:
    rows = pandas.DataFrame({"size": SIZES, "hue": HUES, "area": np.arange(20.0), "kind": SIZES[::-1]})
    encoder = ColumnTransformer(
        [("one", OneHotEncoder(**RARE), ["hue"]), ("two", OneHotEncoder(**RARE), ["size", "kind"])],
        remainder=MinMaxScaler(),
    )
    model = make_pipeline(encoder).fit(rows)
    asked = pandas.DataFrame(
        {"size": [3, 5, 7, 9, 11], "hue": STRANGE[:5], "area": np.ones(5), "kind": [5, 3, 1, 9, 7]}
    )
    made = from_sklearn(model, sample=asked)
    feeds = {name: asked[[name]].to_numpy(object if name == "hue" else np.float32) for name in asked}
    np.testing.assert_allclose(made.session().run(None, feeds)[0], said(model, asked), atol=1e-6)


ENCODERS = {
    "one-hot": OneHotEncoder(),
    "one-hot, ignoring": OneHotEncoder(handle_unknown="ignore", drop="if_binary"),
    "one-hot, rare": OneHotEncoder(min_frequency=6, drop="first", handle_unknown="warn"),
    "ordinal": OrdinalEncoder(),
    "ordinal, rare": OrdinalEncoder(
        min_frequency=6, handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-7
    ),
    "ordinal, whole": OrdinalEncoder(dtype=np.int64, encoded_missing_value=-2),
    "target": TargetEncoder(target_type="continuous"),
    "target of classes": TargetEncoder(target_type="multiclass"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_numbers_fractions_and_what_is_missing(name: str) -> None:
    """Without a sample: drawn are the categories, and others if these are not refused."""
    model = ENCODERS[name].fit(MIXED, GOAL)
    made = from_sklearn(model)
    assert made.parity.holds and made.parity.drawn
    asked = made.session().run(
        None,
        {
            column: np.array(
                [
                    ["" if column == "text" and pandas.isna(value) else value]
                    for value in MIXED[column].astype(object)
                ],
                object if column == "text" else np.float32,
            )
            for column in MIXED
        },
    )
    np.testing.assert_allclose(asked[0], said(model, MIXED), rtol=1e-6)
    refuses = getattr(model, "handle_unknown", "") == "error"
    assert any("never saw (handle_unknown='error')" in note for note in made.notes) == refuses


def test_a_number_between_two_categories_is_none_of_them() -> None:
    model = OneHotEncoder(handle_unknown="ignore").fit(np.array([[1.0], [2.0]]))
    made = from_sklearn(model).session()
    assert made.run(None, {"x": np.array([[1], [1.5], [2]], np.float32)})[0].tolist() == [
        [1, 0],
        [0, 0],
        [0, 1],
    ]


def test_categories_that_float32_cannot_tell_apart_are_read_as_float64() -> None:
    rows = np.array([[1 << 40], [(1 << 40) + 1], [3]])
    for model in (OneHotEncoder().fit(rows), OrdinalEncoder().fit(rows)):
        made = from_sklearn(model)
        assert any(note.startswith("columns are float64") for note in made.notes)
        ours = made.session().run(None, {"x": rows.astype(np.float64)})[0]
        np.testing.assert_array_equal(ours, said(model, rows))


def test_what_is_refused_is_answered_with_no_number() -> None:
    rows = pandas.DataFrame({"hue": HUES, "size": SIZES})
    asked = {"hue": np.array([["red"], ["never"]], object), "size": np.array([[3], [4]], np.float32)}
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, GOAL)
    likely = from_sklearn(model).session().run(["probabilities"], asked)[0]
    assert np.isfinite(likely[0]).all() and np.isnan(likely[1]).all()
    for dtype, strange in ((np.float64, np.nan), (np.int64, -1)):
        numbered = OrdinalEncoder(dtype=dtype).fit(rows)
        answer = from_sklearn(numbered).session().run(None, asked)[0]
        np.testing.assert_array_equal(answer, [[3, 0], [strange, strange]])


def test_encoders_behind_an_imputer() -> None:
    encoders = [
        ("i", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["whole", "part"])
    ]
    model = make_pipeline(ColumnTransformer(encoders), LogisticRegression()).fit(MIXED, GOAL)
    made = from_sklearn(model)
    assert made.parity.holds
    assert [value.name for value in made.session().get_inputs()] == ["whole", "part"], (
        "the others are dropped"
    )
    assert from_sklearn(model, sample=MIXED).parity.holds
    assert from_sklearn(model, sample=MIXED[["part", "whole"]]).parity.holds


def test_the_empty_text_is_not_a_missing_one() -> None:
    model = OneHotEncoder().fit(pandas.DataFrame({"t": ["", None, "a"]}, dtype=object))
    with pytest.raises(ConvertError, match="the empty text and a missing one are two categories"):
        from_sklearn(model)


def test_a_sample_that_is_refused_says_so() -> None:
    model = OneHotEncoder().fit(MIXED[["whole"]])
    with pytest.raises(
        ConvertError, match=r"fails on the sample: ValueError: Found unknown .*rows that it takes"
    ):
        from_sklearn(model, sample=pandas.DataFrame({"whole": [4]}))


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_encoders.registered():
        assert known[OneHotEncoder] == "SardonyxOneHotEncoder"
    assert known == before


@pytest.mark.parametrize("encode", ["onehot", "onehot-dense", "ordinal"])
def test_bins(encode: str) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    bins = KBinsDiscretizer(4, encode=encode, quantile_method="linear")
    for model in (bins.fit(rows), make_pipeline(bins, LogisticRegression()).fit(rows, np.arange(60) % 3)):
        made = from_sklearn(model, sample=rows)
        assert made.parity.holds
    assert bins.encode == encode, "the estimator is as it was"
    (ours,) = from_sklearn(bins).session().run(None, {"x": rows.astype(np.float32)})
    np.testing.assert_array_equal(ours, said(bins, rows.astype(np.float32)))


@pytest.mark.parametrize("encode", ["onehot", "ordinal"])
def test_bins_whose_edges_are_numbers_of_the_data(encode: str) -> None:
    """Of few values, some of which float32 changes; columns have bins of different number, one has one."""
    random = np.random.default_rng(0)
    rows = np.stack([random.choice([0.1, 0.2, 0.3, 0.7], 80), random.normal(size=80), np.full(80, 0.4)], 1)
    bins = KBinsDiscretizer(5, encode=encode, strategy="quantile", quantile_method="linear")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bins.fit(rows)
        chain = make_pipeline(bins, Ridge()).fit(rows, rows[:, 1])
    assert len(set(bins.n_bins_)) > 1
    for model in (bins, chain):
        assert from_sklearn(model, sample=rows).parity.holds
