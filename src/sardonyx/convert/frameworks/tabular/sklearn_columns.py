"""What a fitted scikit-learn model says about the columns it reads: names, texts, values worth trying.

Reads attributes of fitted estimators only; converts nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sardonyx.convert.framework import ConvertError
from sardonyx.convert.frameworks.tabular.tables import Column, Table

# Fitted attributes whose last axis is the features: points in their space, and their deviations.
POINTS = (
    *(
        "_fit_X",
        "support_vectors_",
        "cluster_centers_",
        "subcluster_centers_",
        "centroids_",
        "X_fit_",
        "means_",
        "theta_",
        "mean_",
        "location_",
    ),
    *("statistics_", "center_", "data_min_", "data_max_", "median_"),
)
KNOWN = 60
STRANGER = "a category never seen"
OF_LABELS = {
    "LabelEncoder": "OrdinalEncoder",
    "LabelBinarizer": "OneHotEncoder",
    "MultiLabelBinarizer": "OneHotEncoder",
}
OF_OTHERS = ("DictVectorizer", "FeatureHasher", "IsotonicRegression", "PatchExtractor")
SPREADS = ("scale_", "var_", "data_range_")


def table_of(model: Any) -> Table:
    """The columns that the model reads; ConvertError if it was not fitted."""
    names = getattr(model, "feature_names_in_", None)
    if readers := readers_of(model):
        return Table([Column("text", True, [text for reader in readers for text in texts_for(reader)])], True)
    count = _width(model)
    facts: list[_Facts] = [_Facts() for _ in range(count)]
    columns = None if names is None else [str(name) for name in names]
    _learn(model, list(range(count)), columns, facts)
    rows = [fact.column(columns[at] if columns else f"x{at}") for at, fact in enumerate(facts)]
    if columns and (chosen := _chosen_columns(first_step(model), columns)) is not None:
        rows = [replace(row, is_dropped=row.name not in chosen) for row in rows]
    mixed = len({row.is_text for row in rows}) > 1
    separate = columns is not None and (mixed or _splits_columns(model))
    return Table(rows, separate=separate or mixed, named=columns is not None)


def first_step(model: Any) -> Any:
    """The estimator that meets the raw input."""
    while True:
        steps = getattr(model, "steps", None)
        inner = steps[0][1] if steps else None
        if inner is None or inner == "passthrough":
            return model
        model = inner


def last_step(model: Any) -> Any:
    """The estimator whose answer is the model's."""
    while True:
        steps = getattr(model, "steps", None)
        if steps:
            model = steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def alone(model: Any) -> Any:
    """What answers, if pipelines and searches around it have nothing else in them."""
    while True:
        steps = [step for _, step in getattr(model, "steps", ()) if step not in (None, "passthrough")]
        if len(steps) == 1:
            model = steps[0]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def is_text_reader(model: Any) -> bool:
    """Whether it takes a list of texts instead of a table."""
    return hasattr(model, "analyzer") and hasattr(model, "token_pattern")


def readers_of(model: Any) -> list[Any]:
    """What reads the list of texts that a model takes; nothing if it takes a table."""
    first = first_step(model)
    if is_text_reader(first):
        return [first]
    return [reader for _, part in getattr(first, "transformer_list", ()) for reader in readers_of(part)]


def texts_for(reader: Any) -> list[str]:
    """Texts of what a reader knows: one and several, with white space, stop words and strangers between."""
    known = [str(gram) for gram in getattr(reader, "vocabulary_", ())][:KNOWN] or ["some", "words", "x1"]
    rows = [known[at : at + 6] for at in range(0, len(known), 6)]
    stop = sorted(reader.get_stop_words() or ("zz",))[0]
    marks = itertools.cycle((" ", "  ", "\n", "\r\n\t", " a ", ", ", f" {stop} "))
    several = [mark + mark.join(row) for mark, row in zip(marks, rows + rows[::-1], strict=False)]
    return ["", " ", *known[:12], *several, *(text.title() for text in several)]


def _splits_columns(model: Any) -> bool:
    return hasattr(first_step(model), "transformers_")


def _chosen_columns(splitter: Any, names: list[str]) -> set[str] | None:
    """The columns that a ColumnTransformer passes on; None of another estimator."""
    if not hasattr(splitter, "transformers_"):
        return None
    places = list(range(len(names)))
    kept = (row for row in splitter.transformers_ if row[1] != "drop")
    return {names[at] for _, _, chosen in kept for at in _chosen(chosen, places, names)}


def _width(model: Any) -> int:
    for step in (model, first_step(model)):
        count = getattr(step, "n_features_in_", None)
        if count is not None:
            return int(count)
    name = type(model).__name__
    if name in OF_LABELS:
        raise ConvertError(
            f"{name} encodes labels, not columns, and the ONNX model of a classifier answers its labels "
            f"itself; convert the classifier, or encode columns with {OF_LABELS[name]}"
        )
    if name in OF_OTHERS:
        raise ConvertError(
            f"{name} reads no table of columns, and has no ONNX form; move it in front of the model, which "
            "then reads what it makes"
        )
    raise ConvertError(f"{name} has no number of features; was it fitted?")


class _Facts:
    """What is known of one feature so far."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.listed: list[float] = []
        self.refuses = False
        self.is_open = False
        self.missing: Any = ""
        self.is_text = False
        self.spread = 0.0

    def learn_categories(self, categories: Any, *, refuses: bool) -> None:
        """What an encoder knows of the feature, and whether it `refuses` all else."""
        known = [value for value in categories if value is not None and value == value]
        self.values += known
        if any(isinstance(value, str) for value in known):
            self.is_text = True
            missing = [value for value in categories if value is None or value != value]
            self.missing = missing[0] if missing else self.missing
            self.values += [""] * len(missing)
            self.is_open |= not refuses
        else:
            self.listed += [np.nan if value is None else float(value) for value in categories]
        self.refuses |= refuses

    def strangers(self) -> Iterator[float]:
        """Numbers that are no category, one between those there are, if such are not refused."""
        known = [value for value in self.listed if np.isfinite(value)]
        if known and not self.refuses:
            yield from sorted({min(known) + 0.25, max(known) + 1.0} - set(known))

    def column(self, name: str) -> Column:
        if self.listed and not self.is_text:
            return Column(name, values=(*self.listed, *self.strangers()), is_listed=True)
        if self.is_text or len(self.values) > 1:
            strange = (STRANGER,) if self.is_open and not self.refuses else ()
            return Column(name, self.is_text, (*self.values, *strange), missing=self.missing)
        centre = float(self.values[0]) if self.values and np.isfinite(self.values[0]) else 0.0
        return Column(name, centre=centre, spread=self.spread or max(abs(centre) / 2, 1.0))


def _keeps_columns(step: Any) -> bool:
    """Whether the next step of a pipeline reads the same columns with the same numbers in them."""
    return type(step).__name__ == "SimpleImputer" and not step.add_indicator


def _learn(model: Any, places: list[int], names: list[str] | None, facts: list[_Facts]) -> None:
    """Gather facts of the features at `places`, which are all that `model` reads, in its order."""
    if hasattr(model, "transformers_"):
        for _, part, chosen in model.transformers_:
            if not isinstance(part, str):
                _learn(part, _chosen(chosen, places, names), names, facts)
        return
    if getattr(model, "steps", None):
        for _, step in model.steps:
            if step not in (None, "passthrough"):
                _learn(step, places, names, facts)
                if not _keeps_columns(step):
                    return
        return
    for name in ("best_estimator_", "regressor_", "estimator_"):
        if getattr(getattr(model, name, None), "n_features_in_", -1) == len(places):
            _learn(getattr(model, name), places, names, facts)
            return
    if is_text_reader(model):
        facts[places[0]].is_text = True
        facts[places[0]].values += texts_for(model)
        return
    if hasattr(model, "transformer_list"):
        for _, part in model.transformer_list:
            if not isinstance(part, str):
                _learn(part, places, names, facts)
        return
    prepared = getattr(model, "_preprocessor", None)
    if prepared is not None:
        _learn(prepared, places, names, facts)
        order = np.argsort(~np.asarray(model.is_categorical_), kind="stable")
        places = [places[at] for at in order]
    for at, categories in zip(places, getattr(model, "categories_", ()) or (), strict=False):
        facts[at].learn_categories(categories, refuses=getattr(model, "handle_unknown", "") == "error")
    for at, limits in _thresholds(model, len(places)):
        facts[places[at]].values += limits
    _learn_numbers(model, places, facts)
    _learn_missing(model, places, facts)


def _learn_missing(model: Any, places: list[int], facts: list[_Facts]) -> None:
    """What an imputer of texts has where one is missing."""
    for at in places:
        if hasattr(model, "statistics_") and facts[at].is_text:
            is_text = isinstance(model.missing_values, str)
            facts[at].values = [value for value in facts[at].values if isinstance(value, str)]
            facts[at].values.append(model.missing_values if is_text else "")
            facts[at].missing = facts[at].missing if is_text else model.missing_values


def _learn_numbers(model: Any, places: list[int], facts: list[_Facts]) -> None:
    for name in POINTS:
        points = getattr(model, name, None)
        if points is None or isinstance(points, property):
            continue
        points = points.toarray() if hasattr(points, "toarray") else np.asarray(points)
        if points.ndim in (1, 2) and points.shape[-1] == len(places):
            for at, column in zip(places, points.reshape(-1, len(places))[:100].T, strict=True):
                facts[at].is_text |= any(isinstance(value, str) for value in column)
                facts[at].values += list(column)
    for name in SPREADS:
        spread = np.asarray(getattr(model, name, 0.0))
        if spread.shape == (len(places),) and spread.dtype.kind == "f":
            for at, value in zip(places, spread, strict=True):
                facts[at].spread = float(np.sqrt(value) if name == "var_" else value)


def _chosen(chosen: Any, places: list[int], names: list[str] | None) -> list[int]:
    if isinstance(chosen, slice):
        return places[chosen]
    chosen = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if chosen and isinstance(chosen[0], bool | np.bool_):
        return [at for at, keep in zip(places, chosen, strict=True) if keep]
    if chosen and isinstance(chosen[0], str):
        return [(names or []).index(name) for name in chosen]
    return [places[int(at)] for at in chosen]


def _thresholds(model: Any, count: int) -> Iterator[tuple[int, list[float]]]:
    """The borders that decision trees below the model know of, feature by feature."""
    borders: list[set[float]] = [set() for _ in range(count)]
    for tree in _trees(model):
        inner = tree.children_left >= 0
        for at, value in zip(tree.feature[inner], tree.threshold[inner], strict=True):
            if at < count:
                borders[at].add(float(value))
    for group in getattr(model, "_predictors", ()):
        for predictor in group:
            for node in predictor.nodes:
                if not node["is_leaf"] and node["feature_idx"] < count and not node["is_categorical"]:
                    borders[node["feature_idx"]].add(float(node["num_threshold"]))
    yield from ((at, sorted(found)) for at, found in enumerate(borders) if found)


def _trees(model: Any) -> Iterator[Any]:
    if hasattr(getattr(model, "tree_", None), "children_left"):
        yield model.tree_
    parts = getattr(model, "estimators_", None)
    for part in np.ravel(np.asarray(parts, object)) if parts is not None else ():
        if not isinstance(part, str):
            yield from _trees(part)
