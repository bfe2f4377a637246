"""XGBoost: boosters, JSON, UBJSON and old model files, and estimators; the trees are written here."""

from __future__ import annotations

import importlib.util
import itertools
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.authoring import GraphWriter
from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.pickles import unpickled
from sardonyx.convert.frameworks.tabular import xgboost_trees as trees
from sardonyx.convert.frameworks.tabular.boosting import answers, classes_of, first_line, texts_of
from sardonyx.convert.frameworks.tabular.ensembles import narrowed, saved
from sardonyx.convert.frameworks.tabular.tables import Column, Table, told

CLASSIFYING = ("binary:logistic", "binary:hinge", *trees.CLASSES)


def load(source: str, request: Request) -> Any:
    """The estimator that a model file stands for, or the object of a pickle.

    Without scikit-learn, which estimators need, the booster up to its best round.
    """
    import xgboost

    with Path(source).open("rb") as file:
        start = file.read(64)
    if start[:1] != b"{" and start[:4] != b"binf":
        return unpickled(source)
    booster = xgboost.Booster()
    try:
        booster.load_model(source)
    except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        said = first_line(error)
        raise ConvertError(f"{source} cannot be read by XGBoost: {said}; is the file whole?") from error
    if importlib.util.find_spec("sklearn") is None:
        best = booster.attr("best_iteration")
        return booster if best is None else booster[: int(best) + 1]
    objective = described(booster).objective
    is_ranker, is_classifier = objective.startswith("rank:"), objective in CLASSIFYING
    kind = "XGBRanker" if is_ranker else "XGBClassifier" if is_classifier else "XGBRegressor"
    estimator = getattr(xgboost, kind)()
    estimator.load_model(source)
    return estimator


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a booster or a fitted estimator."""
    facts = described(model)
    known = categories(facts)
    table = Table(_columns(facts, known), separate=False)
    feeds, drawn = table.feeds(request)
    graph = GraphWriter()
    outputs = trees.written(graph, facts, classes(model, facts))
    if request.double:
        narrowed(graph)  # XGBoost itself compares in float32
    path.write_bytes(saved(graph, "xgboost", facts.width, outputs, double=request.double))
    cases = table.asked(feeds, lambda part: _told(model, part, facts), drawn=drawn)
    return Exported(
        path,
        cases,
        drawn,
        labels=classes_of(model),
        columns=tuple(table.names),
        categories=texts_of(known),
        notes=(*told(known), *_lost(facts, known), *table.rounded(request)),
    )


def described(model: Any) -> trees.Model:
    """What XGBoost says about a booster or a fitted estimator; an estimator has the rounds up to its best."""
    import xgboost

    if isinstance(model, xgboost.Booster):
        return trees.Model(json.loads(model.save_raw("json"))["learner"])
    if not hasattr(model, "get_booster"):
        raise ConvertError(f"a {type(model).__name__} is not a model of XGBoost")
    learner = json.loads(model.get_booster().save_raw("json"))["learner"]
    best = getattr(model, "best_iteration", None)
    return trees.Model(learner, None if best is None else best + 1, float(model.missing))


def classes(model: Any, facts: trees.Model) -> Array | None:
    """The labels in the order of the scores, or None if it predicts values."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.classes_)
    if facts.objective not in CLASSIFYING:
        return None
    return np.arange(max(2, int(facts.learner["learner_model_param"]["num_class"])))


def _told(model: Any, feeds: Feeds, facts: trees.Model) -> list[Array]:
    import xgboost

    rows, is_classifier = feeds["x"], classes(model, facts) is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not isinstance(model, xgboost.Booster):
            return answers(model, rows, is_classifier=is_classifier)
        names, types = model.feature_names, model.feature_types
        matrix = xgboost.DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=True)
        if facts.objective == "multi:softmax":
            scores = np.exp(model.predict(matrix, output_margin=True))
            return [model.predict(matrix).astype(np.int64), scores / scores.sum(1, keepdims=True)]
        if facts.targets > 1 and is_classifier:
            likely = model.predict(matrix)
            return [(likely > 0.5).astype(np.int64), likely]
        return answers(model, matrix, is_classifier=is_classifier)


def _columns(facts: trees.Model, known: dict[str, list[Any]]) -> list[Column]:
    """Names and borders; columns of a linear booster have none."""
    borders: list[set[float]] = [set() for _ in facts.names]
    for _, _, tree in facts.trees() if "trees" in facts.booster else ():
        chosen = trees.categories_of(tree)
        for node, left in enumerate(tree["left_children"]):
            if left != -1:
                seen = borders[tree["split_indices"][node]]
                seen.update(chosen.get(node, (tree["split_conditions"][node],)))
    return [
        Column(name, values=sorted(seen), categories=known.get(name, ()))
        for name, seen in zip(facts.names, borders, strict=True)
    ]


def categories(facts: trees.Model) -> dict[str, list[Any]]:
    """Of columns that were categories of pandas: what they are, in the order of the numbers for them.

    Columns with texts beyond ASCII are left out: XGBoost counts their characters where it keeps bytes, and
    cuts off the last ones.
    """
    known = {name: _values(column) for name, column in _encoded(facts)}
    return {name: values for name, values in known.items() if values}


def encoded(facts: trees.Model) -> int:
    """How many columns were categories of pandas."""
    return len(list(_encoded(facts)))


def _encoded(facts: trees.Model) -> Iterator[tuple[str, dict[str, Any]]]:
    coded = facts.booster.get("cats", {}).get("enc", [])
    return ((name, column) for name, column in zip(facts.names, coded, strict=False) if column["values"])


def _values(column: dict[str, Any]) -> list[Any]:
    values, ends = column["values"], column.get("offsets")
    if not ends:
        return list(values)
    if min(values) < 0:
        return []
    return [bytes(values[at:end]).decode() for at, end in itertools.pairwise(ends)]


def _lost(facts: trees.Model, known: dict[str, list[Any]]) -> tuple[str, ...]:
    """A note for each column whose categories are not known."""
    return tuple(
        f"{name} is a number: the place of its category, which XGBoost does not keep whole beyond ASCII"
        for name, _ in _encoded(facts)
        if name not in known
    )
