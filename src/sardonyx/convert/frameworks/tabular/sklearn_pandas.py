"""Boosters inside estimators of scikit-learn that learned categories of pandas: which columns hold which.

Reads fitted models only. A booster names its columns as the last transformer does; the table as the user did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular import lightgbm, xgboost
from sardonyx.convert.frameworks.tabular.sklearn_columns import alone
from sardonyx.convert.frameworks.tabular.tables import Table

ENCODE = "put scikit-learn's OrdinalEncoder in front of the model, which keeps them"


def library(model: Any) -> str:
    """The library of boosted trees whose estimator this is, or nothing."""
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    return next((root for root in roots if root in ("lightgbm", "xgboost")), "")


def with_categories(table: Table, model: Any) -> Table:
    """The table with the categories that boosters below the model know; ConvertError if it is not clear."""
    known: dict[str, Sequence[Any]] = {}
    for part in parts_of(model):
        if library(part) and part.__sklearn_is_fitted__():
            for name, values in _categories(part).items():
                known[_raw(name, table.names)] = values
        elif part is not alone(model) and _reads_texts(part):
            raise ConvertError(
                f"{type(part).__name__} learned texts as categories behind other transformers; {ENCODE}"
            )
    if not known:
        return table
    columns = [
        replace(column, is_text=False, values=range(len(known[column.name])), categories=known[column.name])
        if column.name in known
        else column
        for column in table.columns
    ]
    return replace(table, columns=columns)


def _raw(name: str, names: Sequence[str]) -> str:
    """The column of the table behind one of a booster, to whose name transformers add theirs in front."""
    rest = name
    while rest not in names:
        _, doubled, rest = rest.partition("__")
        if not doubled:
            raise ConvertError(
                f"a booster learned the column {name!r} as categories of pandas, and the table has no column "
                f"of that name; {ENCODE}"
            )
    return rest


def _categories(booster: Any) -> dict[str, list[Any]]:
    if library(booster) == "lightgbm":
        dumped = lightgbm.described(booster.booster_)
        known = lightgbm.categories(dumped)
        count = len(dumped.get("pandas_categorical") or [])
    else:
        facts = xgboost.described(booster)
        known, count = xgboost.categories(facts), xgboost.encoded(facts)
    if len(known) < count:
        raise ConvertError(
            f"{type(booster).__name__} learned {count} columns of categories of pandas and keeps whole what "
            f"{len(known)} of them hold (not texts beyond ASCII, nor an order); {ENCODE}"
        )
    return known


def _reads_texts(part: Any) -> bool:
    """Whether it is histogram gradient boosting that was given categories as texts."""
    lists = getattr(getattr(part, "_preprocessor", None), "named_transformers_", {})
    known = getattr(lists.get("encoder"), "categories_", ()) if lists else ()
    return any(isinstance(value, str) for values in known for value in values)


def parts_of(model: Any) -> Iterator[Any]:
    """The estimators that a fitted model consists of, itself among them."""
    waiting, seen = [model], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple) or (isinstance(part, np.ndarray) and part.dtype == object):
            waiting += list(part)
        elif isinstance(part, dict):
            waiting += part.values()
        elif not hasattr(part, "__dict__") or isinstance(part, type):
            continue
        elif library(part):
            if hasattr(part, "get_params"):
                yield part
        elif type(part).__module__.partition(".")[0] in ("sklearn", "imblearn"):
            yield part
            waiting += vars(part).values()
