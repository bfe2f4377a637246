"""How good answers are: measures with intervals, calibration, confusion. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics

Array = np.ndarray[Any, Any]
RESAMPLED, INTERVAL = 200, (2.5, 97.5)
BINS = 10


@dataclass(frozen=True)
class Score:
    """A measure on held-out rows, and within which it lies for 95 of 100 draws of such rows."""

    name: str
    value: float
    low: float
    high: float


def of_classes(truth: Array, chances: Array, classes: Sequence[Any], seed: int) -> list[Score]:
    """Accuracy, balanced accuracy, area under the ROC curve and log loss."""
    known = np.array(list(classes))
    numbers = np.searchsorted(known, truth)
    best = chances.argmax(1)
    kinds = range(1 if len(known) == 2 else 0, len(known))
    places = [np.unique(chances[:, kind], return_inverse=True)[1] for kind in kinds]

    def area(rows: Array) -> float:
        part = numbers[rows]
        if len(np.unique(part)) < len(known):
            return float("nan")
        pairs = zip(kinds, places, strict=True)
        return float(np.mean([_area(place[rows], part == kind) for kind, place in pairs]))

    def loss(rows: Array) -> float:
        right = np.clip(chances[rows, numbers[rows]], 1e-15, 1)
        return float(-np.log(right).mean()) + 0.0  # minus nothing is nothing

    def balanced(rows: Array) -> float:
        hits = best[rows] == numbers[rows]
        return float(np.mean([hits[numbers[rows] == kind].mean() for kind in np.unique(numbers[rows])]))

    measures: dict[str, Callable[[Array], float]] = {
        "accuracy": lambda rows: float((best[rows] == numbers[rows]).mean()),
        "balanced accuracy": balanced,
        "area under ROC": area,
        "log loss": loss,
    }
    return with_intervals(measures, len(truth), seed)


def _area(places: Array, is_in: Array) -> float:
    """How many pairs of a row that is in a class and one that is not have places in that order; ties half."""
    size = int(places.max()) + 1
    inside = np.bincount(places[is_in], minlength=size)
    outside = np.bincount(places[~is_in], minlength=size)
    behind = np.cumsum(outside) - outside / 2
    return float(inside @ behind) / (int(inside.sum()) * int(outside.sum()))


def minus_log_loss(model: Any, inputs: Any, truth: Array) -> float:
    """Of a fitted classifier, the larger the better."""
    return log_chance(model.predict_proba(inputs), model.classes_, truth)


def log_chance(chances: Array, classes: Any, truth: Array) -> float:
    """The mean logarithm of the chance of what is true; a class that is not known has no chance."""
    known = np.asarray(classes)
    places = np.minimum(np.searchsorted(known, truth), len(known) - 1)
    right = np.where(known[places] == truth, chances[np.arange(len(truth)), places], 0)
    return float(np.log(np.clip(right, 1e-15, 1)).mean())


def of_values(truth: Array, values: Array, seed: int) -> list[Score]:
    """Root mean square and mean absolute error, and the part of variance explained."""

    def explained(rows: Array) -> float:
        spread = float(((truth[rows] - truth[rows].mean()) ** 2).sum())
        return 1 - float(((truth[rows] - values[rows]) ** 2).sum()) / spread if spread else float("nan")

    measures: dict[str, Callable[[Array], float]] = {
        "root mean square error": lambda rows: float(np.sqrt(((truth[rows] - values[rows]) ** 2).mean())),
        "mean absolute error": lambda rows: float(np.abs(truth[rows] - values[rows]).mean()),
        "variance explained": explained,
    }
    return with_intervals(measures, len(truth), seed)


def with_intervals(measures: dict[str, Callable[[Array], float]], count: int, seed: int) -> list[Score]:
    """Each measure of all rows, and within which it lies for draws of as many; a measure takes rows."""
    random = np.random.default_rng(seed)
    draws = [random.integers(0, count, count) for _ in range(RESAMPLED)]
    scores = []
    for name, measure in measures.items():
        spread = np.array([measure(rows) for rows in draws])
        spread = spread[np.isfinite(spread)]
        low, high = np.percentile(spread, INTERVAL) if len(spread) else (float("nan"),) * 2
        scores.append(Score(name, measure(np.arange(count)), float(low), float(high)))
    return scores


def calibration(truth: Array, chances: Array, classes: Sequence[Any]) -> list[tuple[float, float, int]]:
    """How sure the model was, how often it was right then, and of how many rows, in steps of sureness."""
    sure, best = chances.max(1), np.array(list(classes))[chances.argmax(1)]
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    rows = []
    for place in range(BINS):
        here = places == place
        if here.any():
            rows.append((float(sure[here].mean()), float((best == truth)[here].mean()), int(here.sum())))
    return rows


def confusion(truth: Array, said: Array, classes: Sequence[Any]) -> Array:
    """Rows of what was, columns of what was said."""
    counts: Array = metrics.confusion_matrix(truth, said, labels=list(classes))
    return counts
