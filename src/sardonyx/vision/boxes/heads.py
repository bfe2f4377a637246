"""Heads over cells: which class has its middle there, and how far the sides of its box are.

Decides what is fitted; knows neither pictures nor ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from sardonyx.vision.boxes.cells import boxes
from sardonyx.vision.boxes.maps import spread
from sardonyx.vision.boxes.network import Head
from sardonyx.vision.boxes.precision import Boxes, overlap

Array = np.ndarray[Any, Any]
STRENGTH, STIFFNESS = 1e-3, 1000.0
NEVER = -30.0  # the score of a class that nothing was learned of
LEAST_JUDGED = 0.01


def fitted(
    rows: Array, kinds: Array, sides: Array, widths: tuple[int, ...], classes: tuple[str, ...]
) -> Head:
    """A head over features of cells [n, m], their classes [n] (the last: nothing) and sides [n, 4]."""
    middle = rows.mean(0, dtype=np.float64)
    spread_of = rows.std(0, dtype=np.float64) + 1e-6
    scaled = ((rows - middle) / spread_of).astype(np.float32)
    model = LogisticRegression(C=STRENGTH, max_iter=60, tol=1e-3)
    model.fit(scaled, kinds)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    whole = np.zeros((len(classes) + 1, rows.shape[1]))
    sure = np.full(len(classes) + 1, NEVER)
    whole[model.classes_], sure[model.classes_] = weights, bias
    there = kinds < len(classes)
    ruler = Ridge(STIFFNESS).fit(scaled[there], sides[there])
    of_classes = whole.T / spread_of[:, None]
    of_sides = np.asarray(ruler.coef_, np.float64).T / spread_of[:, None]
    return Head(
        of_classes,
        sure - middle @ of_classes,
        of_sides,
        ruler.intercept_ - middle @ of_sides,
        widths,
        LEAST_JUDGED,
        classes,
    )


def seen(head: Head, levels: Sequence[Array]) -> Boxes:
    """What a head says of a picture's maps, in double precision."""
    count = len(head.classes)
    said = spread(levels, np.concatenate([head.weights, head.sides], 1))
    said += np.concatenate([head.bias, head.sides_bias])
    scores = np.exp(said[:, : count + 1] - said[:, : count + 1].max(1, keepdims=True))
    chances = scores / scores.sum(1, keepdims=True)
    return boxes(chances[:, :count], said[:, count + 1 :], head.least)


def best_least(found: Sequence[Boxes], true: Sequence[Boxes]) -> tuple[float, float, float]:
    """The score from which on boxes are told, so that F1 is largest; the part found, and the part right."""
    hits, scores = [np.zeros(0, bool)], [np.zeros(0)]
    for some, real in zip(found, true, strict=True):
        free = np.ones(len(real.kinds), bool)
        shared = overlap(some.corners, real.corners) * (some.kinds[:, None] == real.kinds)
        right = np.zeros(len(some.kinds), bool)
        for row in np.argsort(-some.scores, kind="stable"):
            over = np.where(free, shared[row], 0)
            if over.size and over.max() >= 0.5:
                free[over.argmax()], right[row] = False, True
        hits.append(right)
        scores.append(some.scores)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    ranked, right = np.concatenate(scores)[order], np.concatenate(hits)[order].cumsum()
    if not len(ranked) or not right[-1]:
        return 0.5, 0.0, 0.0
    there = sum(len(real.kinds) for real in true)
    at = int((2 * right / (np.arange(1, len(right) + 1) + there)).argmax())
    below = ranked[at + 1] if at + 1 < len(ranked) else 0.0
    return float((ranked[at] + below) / 2), float(right[at] / there), float(right[at] / (at + 1))
