"""How good answers are where a picture has any number of labels. Knows no model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from sardonyx.train.scores import Score, with_intervals

Array = np.ndarray[Any, Any]


def of_labels(truth: Array, chances: Array, seed: int) -> list[Score]:
    """Labels that are right, pictures with all labels right, F1 and the mean average precision."""
    said = chances > 0.5

    def precision(rows: Array) -> float:
        there = truth[rows].any(0)
        return float(average_precision_score(truth[rows][:, there], chances[rows][:, there]))

    measures: dict[str, Callable[[Array], float]] = {
        "labels right": lambda rows: float((said == truth)[rows].mean()),
        "all labels right": lambda rows: float((said == truth)[rows].all(1).mean()),
        "F1": lambda rows: float(f1_score(truth[rows], said[rows], average="macro", zero_division=0)),
        "mean average precision": precision,
    }
    return with_intervals(measures, len(truth), seed)
