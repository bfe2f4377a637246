"""Heads over features: logistic regression, judged on folds it never saw, its sureness set right.

Decides what is fitted and how it is folded into one product; knows neither pictures nor ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.extmath import randomized_svd

from sardonyx.vision.network import Head

Array = np.ndarray[Any, Any]
STRENGTH = 0.01
FOLDS = 5
DIRECTIONS = 32
POWERS = 7  # of the randomised search for them: singular values are right to six digits
UNLIKE = 1.0  # per cent of unseen pictures that are taken for none of these


@dataclass(frozen=True)
class Unseen:
    """What folds said of the pictures that they had not learned from: scores [n, classes], distances [n]."""

    scores: Array
    distances: Array


def fitted(features: Array, truth: Array, several: bool, seed: int) -> Head:
    """A head over rows of features [n, m] and their labels, bool [n, classes]; its `most` lets all pass."""
    middle = features.mean(0)
    spread = features.std(0) + 1e-6
    rows = (features - middle) / spread
    if several:
        parts = [_one(rows, truth[:, at], seed) for at in range(truth.shape[1])]
        weights = np.stack([part[0] for part in parts], 1)
        bias = np.array([part[1] for part in parts])
    else:
        model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced")
        model.fit(rows, truth.argmax(1))
        weights, bias = model.coef_.T, model.intercept_
        if weights.shape[1] == 1:
            weights, bias = np.hstack([-weights, weights]) / 2, np.array([-bias[0], bias[0]]) / 2
    weights = weights / spread[:, None]
    count = max(1, min(DIRECTIONS, len(features) // 4))
    _, _, turned = randomized_svd(features - middle, count, n_iter=POWERS, random_state=seed)
    return Head(weights, bias - middle @ weights, middle, turned.T, np.inf, (), several)


def _one(rows: Array, there: Array, seed: int) -> tuple[Array, float]:
    model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced", random_state=seed)
    model.fit(rows, there)
    return model.coef_[0], float(model.intercept_[0])


def scored(head: Head, features: Array) -> tuple[Array, Array]:
    """The scores [n, classes] of rows of features, and how far each is from what was learned from [n]."""
    apart = features - head.middle
    rest = apart - (apart @ head.directions) @ head.directions.T
    return features @ head.weights + head.bias, np.linalg.norm(rest, axis=1)


def cross_validated(
    features: Array, truth: Array, several: bool, seed: int, before: Callable[[], None] = lambda: None
) -> Unseen:
    """Judge every picture by a head that learned from other pictures: features [pictures, views, m].

    `before` is called before each fold.
    """
    least = int(truth.sum(0).min())
    folds: Any = KFold(FOLDS, shuffle=True, random_state=seed)
    if not several:
        folds = StratifiedKFold(min(FOLDS, least), shuffle=True, random_state=seed)
    scores, distances = np.zeros(truth.shape), np.zeros(len(truth))
    for learnt, held in folds.split(features[:, 0], truth.argmax(1)):
        before()
        head = fitted(*flat(features[learnt], truth[learnt]), several, seed)
        scores[held], distances[held] = scored(head, features[held, 0])
    return Unseen(scores, distances)


def flat(features: Array, truth: Array) -> tuple[Array, Array]:
    """Every view as a row of its own, with the labels of its picture."""
    views = features.shape[1]
    return features.reshape(-1, features.shape[2]), np.repeat(truth, views, 0)


def chances(scores: Array, several: bool) -> Array:
    """Probabilities of scores [n, classes]."""
    made: Array
    if several:
        made = 1 / (1 + np.exp(-scores))
        return made
    made = np.exp(scores - scores.max(1, keepdims=True))
    made /= made.sum(1, keepdims=True)
    return made


def temperature(scores: Array, truth: Array, several: bool) -> float:
    """By what to divide scores so that the head is as often right as it is sure: the least log loss."""

    def loss(power: float) -> float:
        part = np.clip(chances(scores / 10**power, several), 1e-12, 1 - 1e-12)
        if several:
            return float(-(np.log(part) * truth + np.log(1 - part) * ~truth).mean())
        return float(-np.log(part[truth]).mean())

    return float(10 ** minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x)
