"""Signs that scores mislead: columns that know the target, rows on both sides, targets beyond float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import check_cv
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sardonyx.base.digits import lost_digits
from sardonyx.train.table import Column

Array = np.ndarray[Any, Any]
Folds = Sequence[tuple[Array, Array]]
KNOWS, ROWS, TWINS = 0.98, 2000, 0.01


def suspicions(
    inputs: pandas.DataFrame,
    goal: Array,
    columns: Sequence[Column],
    learnt: Array,
    held: Array,
    classes: Sequence[Any],
) -> list[str]:
    """What should be looked at before the scores are believed."""
    truth = goal[_some(goal)]
    folds = [*check_cv(3, truth, classifier=bool(classes)).split(truth, truth)]
    found = [
        f"the column {column.name!r} alone tells the target ({score:.1%}); was it known before that was?"
        for column in columns
        if column.kind != "text" and (score := _alone(inputs[column.name], goal, classes, folds)) >= KNOWS
    ]
    known = set(map(hash, inputs.iloc[learnt].itertuples(index=False, name=None)))
    twins = sum(hash(row) in known for row in inputs.iloc[held].itertuples(index=False, name=None))
    if len(held) and twins / len(held) > TWINS:
        found.append(
            f"{twins} of {len(held)} held-out rows stand among those learned from as well; drop doubles"
        )
    dates = [column.name for column in columns if column.why == "of a date"]
    if dates:
        found.append(f"there are dates ({dates[0].rpartition('.')[0]}): to predict later rows, split by time")
    if not classes and (lost := lost_digits(goal)):
        found.append(f"answers are no closer than float32 is, which does not hold the targets: {lost}")
    return found


def _some(goal: Array) -> Array:
    return np.linspace(0, len(goal) - 1, min(len(goal), ROWS)).astype(int)


def _alone(values: pandas.Series, goal: Array, classes: Sequence[Any], folds: Folds) -> float:
    """How well a small tree over one column predicts: balanced accuracy, or variance explained."""
    codes = values if values.dtype.kind == "f" else pandas.Series(pandas.factorize(values)[0])
    rows = _some(goal)
    column = np.nan_to_num(np.asarray(codes, np.float64), nan=-1e9)[rows, None]
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    measure = balanced_accuracy_score if classes else r2_score
    tree, truth = kind(max_depth=6, min_samples_leaf=3, random_state=0), goal[rows]
    found = [
        measure(truth[test], tree.fit(column[learnt], truth[learnt]).predict(column[test]))
        for learnt, test in folds
    ]
    return float(np.mean(found))
