"""LightGBM: boosters, model files and estimators; the trees are written here."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tabular import lightgbm_trees as trees
from sardonyx.convert.frameworks.tabular.boosting import answers, classes_of, texts_of
from sardonyx.convert.frameworks.tabular.ensembles import saved
from sardonyx.convert.frameworks.tabular.tables import Column, Table, told

CATEGORICAL = re.compile(r"^\[categorical_feature: ([\d,]*)\]$", re.MULTILINE)


def load(source: str, request: Request) -> Any:
    """The booster of a model file, or the object of a pickle."""
    with Path(source).open("rb") as file:
        is_text = file.read(4) == b"tree"
    if not is_text:
        return unpickled(source)
    lightgbm = _alone()
    try:
        return lightgbm.Booster(model_file=source)
    except lightgbm.basic.LightGBMError as error:
        raise ConvertError(f"{source} cannot be read by LightGBM: {error}; is the file whole?") from error


def _alone() -> Any:
    """LightGBM; if this process imports it first, without what its boosters do without.

    It brings wrappers for libraries that take four times as long to import as all that a booster needs.
    """
    hidden = [name for name in ("sklearn", "pandas", "pyarrow") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return importlib.import_module("lightgbm")
    finally:
        for name in hidden:
            del sys.modules[name]


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a booster or a fitted estimator."""
    import lightgbm

    booster = model if isinstance(model, lightgbm.Booster) else getattr(model, "booster_", None)
    if booster is None:
        raise ConvertError(f"a {type(model).__name__} is not a model of LightGBM")
    dumped = described(booster)
    known = categories(dumped)
    table = Table(_columns(dumped, known), separate=False)
    feeds, drawn = table.feeds(request)
    graph = GraphWriter()
    outputs = trees.written(graph, dumped, classes(model, dumped), double=request.double)
    path.write_bytes(saved(graph, "lightgbm", len(dumped["feature_names"]), outputs, double=request.double))
    cases = table.asked(feeds, lambda part: _answers(model, dumped, part), drawn=drawn)
    notes = [*told(known), *table.rounded(request)]
    if dumped.get("pandas_categorical") and not known:
        notes.append(
            "columns of categories are numbers: their places; LightGBM does not keep which these are"
        )
    return Exported(
        path,
        cases,
        drawn,
        labels=classes_of(model) if _is_classifier(model, dumped) else (),
        columns=tuple(table.names),
        categories=texts_of(known),
        notes=tuple(notes),
    )


def described(booster: Any) -> dict[str, Any]:
    """What LightGBM says about a booster, and the places of its columns of `categories`."""
    told = CATEGORICAL.search(booster.model_to_string(num_iteration=1))
    places = [int(place) for place in told[1].split(",") if place] if told else []
    return {**booster.dump_model(), "categories": places}


def categories(dumped: dict[str, Any]) -> dict[str, list[Any]]:
    """Of columns that were categories of pandas: what they are, in the order of the numbers for them.

    The model lists them without the names of the columns, and those that have an order are numbers to it;
    nothing is told if it is not clear whose they are.
    """
    known = dumped.get("pandas_categorical") or []
    names = [dumped["feature_names"][place] for place in dumped["categories"]]
    return dict(zip(names, known, strict=True)) if len(names) == len(known) else {}


def classes(model: Any, dumped: dict[str, Any]) -> Array | None:
    """The labels of an estimator, numbers of a bare booster, or None if it predicts values."""
    if not _is_classifier(model, dumped):
        return None
    known = getattr(model, "classes_", None)
    return np.arange(max(2, dumped["num_class"])) if known is None else np.asarray(known)


def _is_classifier(model: Any, dumped: dict[str, Any]) -> bool:
    objective = str(dumped.get("objective", "")).split(" ")[0]
    if callable(getattr(model, "objective", None)):
        return False
    return hasattr(model, "predict_proba") or objective in ("binary", "multiclass", "multiclassova")


def _answers(model: Any, dumped: dict[str, Any], feeds: Feeds) -> list[Array]:
    rows = feeds["x"].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return answers(model, rows, is_classifier=_is_classifier(model, dumped))


def _columns(dumped: dict[str, Any], known: dict[str, list[Any]]) -> list[Column]:
    borders: list[set[float]] = [set() for _ in dumped["feature_names"]]
    for tree in dumped["tree_info"]:
        for node in _splits(tree["tree_structure"]):
            seen = borders[node["split_feature"]]
            if node["decision_type"] == "==":
                seen.update(float(value) for value in str(node["threshold"]).split("||"))
            else:
                seen.add(float(node["threshold"]))
    return [
        Column(name, values=sorted(seen), categories=known.get(name, ()))
        for name, seen in zip(dumped["feature_names"], borders, strict=True)
    ]


def _splits(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            yield node
            waiting += [node["left_child"], node["right_child"]]
