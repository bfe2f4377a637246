"""The families of models that are tried, each a pipeline from raw columns that converts to ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sardonyx.train.table import MOST_CATEGORIES, Column

WORDS, TREE_ROWS, SPARSE = 1000, 20_000, 0.3
DENSE_ROWS = 100_000


@dataclass(frozen=True)
class Family:
    """A name, how a pipeline is made of settings, and how those are drawn; the first are defaults.

    `sparse`: it holds words without their zeros; else they are `WORDS` numbers in every row.
    """

    name: str
    make: Callable[[Sequence[Column], dict[str, Any], bool, int], Pipeline]
    draw: Callable[[np.random.Generator], dict[str, Any]]
    first: dict[str, Any]
    sparse: bool = True


def _columns(
    columns: Sequence[Column], numbers: Any, *, encoded: bool, sparse: bool = True
) -> ColumnTransformer:
    """Numbers by a transformer, categories as ones or numbers, words weighted.

    `sparse`: whether a model takes columns of words, nearly all zeros, without them.
    """
    of_kind = {kind: [c.name for c in columns if c.kind == kind] for kind in ("number", "category", "text")}
    parts: list[tuple[str, Any, Any]] = []
    if of_kind["number"]:
        parts.append(("numbers", numbers, of_kind["number"]))
    if of_kind["category"]:
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=3, max_categories=MOST_CATEGORIES
        )
        numbered = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        parts.append(("categories", numbered if encoded else one_hot, of_kind["category"]))
    words = TfidfVectorizer(max_features=WORDS, min_df=2)
    parts += [(f"words of {name}", words, name) for name in of_kind["text"]]
    return ColumnTransformer(parts, sparse_threshold=SPARSE if sparse and of_kind["text"] else 0)


def _linear(columns: Sequence[Column], settings: dict[str, Any], classifies: bool, seed: int) -> Pipeline:
    model = (
        LogisticRegression(C=settings["C"], max_iter=1000) if classifies else Ridge(alpha=1 / settings["C"])
    )
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(_columns(columns, scaled, encoded=False), model)


def _forest(columns: Sequence[Column], settings: dict[str, Any], classifies: bool, seed: int) -> Pipeline:
    kind = RandomForestClassifier if classifies else RandomForestRegressor
    model = kind(random_state=seed, n_jobs=1, **settings)
    # Never scaled: a last bit of a scaled number would send rows the other way in ONNX.
    return make_pipeline(_columns(columns, SimpleImputer(strategy="median"), encoded=True), model)


def _histogram(columns: Sequence[Column], settings: dict[str, Any], classifies: bool, seed: int) -> Pipeline:
    kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    made = _columns(columns, "passthrough", encoded=True, sparse=False)
    return make_pipeline(made, kind(random_state=seed, **settings))


def _lightgbm(columns: Sequence[Column], settings: dict[str, Any], classifies: bool, seed: int) -> Pipeline:
    import lightgbm

    kind = lightgbm.LGBMClassifier if classifies else lightgbm.LGBMRegressor
    model = kind(random_state=seed, n_jobs=1, deterministic=True, verbose=-1, subsample_freq=1, **settings)
    return make_pipeline(_columns(columns, "passthrough", encoded=True), model)


def affordable(families: Sequence[Family], columns: Sequence[Column], rows: int) -> tuple[Family, ...]:
    """Those that hold so many rows in a few GB: all of them, if there are not many texts."""
    texts = sum(column.kind == "text" for column in columns)
    return tuple(family for family in families if family.sparse or texts * rows <= DENSE_ROWS)


def limited(model: Pipeline, rows: int) -> Pipeline:
    """The model, whose trees learn from a part of many rows each if it is a forest.

    Whole trees of a forest grow with the rows: a million make a model of gigabytes, which ONNX cannot hold.
    """
    if rows > TREE_ROWS and "max_samples" in model[-1].get_params():
        model[-1].set_params(max_samples=TREE_ROWS)
    return model


def _power(random: np.random.Generator, low: float, high: float) -> float:
    return float(10 ** random.uniform(low, high))


FAMILIES = (
    Family("linear", _linear, lambda random: {"C": _power(random, -3, 2)}, {"C": 1.0}),
    Family(
        "histogram boosting",
        _histogram,
        lambda random: {
            "learning_rate": _power(random, -2, -0.5),
            "max_leaf_nodes": int(random.integers(4, 64)),
            "min_samples_leaf": int(random.integers(5, 50)),
            "l2_regularization": _power(random, -3, 1),
        },
        {},
        sparse=False,
    ),
    Family(
        "LightGBM",
        _lightgbm,
        lambda random: {
            "n_estimators": int(random.integers(50, 300)),
            "learning_rate": _power(random, -2, -0.5),
            "num_leaves": int(random.integers(4, 64)),
            "min_child_samples": int(random.integers(5, 50)),
            "subsample": float(random.uniform(0.6, 1)),
        },
        {"n_estimators": 100},
    ),
    Family(
        "random forest",
        _forest,
        lambda random: {
            "n_estimators": 100,
            "max_features": float(random.uniform(0.2, 1)),
            "min_samples_leaf": int(random.integers(1, 10)),
        },
        {"n_estimators": 100},
    ),
)
