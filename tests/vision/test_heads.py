"""Heads find what can be found, are as sure as they are right, and know what they never saw."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.train.scores import calibration
from sardonyx.vision import heads
from sardonyx.vision.several import of_labels

RANDOM = np.random.default_rng(0)
CLASSES, SIZE, ROWS = 3, 24, 240


def clouds(apart: float) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(ROWS) % CLASSES
    middles = RANDOM.normal(0, 1, (CLASSES, SIZE))
    middles *= apart / np.linalg.norm(middles, axis=1, keepdims=True)
    features = (middles[numbers] + RANDOM.normal(0, 1, (ROWS, SIZE)))[:, None]
    return features.astype(np.float32), np.eye(CLASSES, dtype=bool)[numbers]


@pytest.mark.parametrize("several", [False, True])
def test_unseen_rows_are_told(several: bool) -> None:
    features, truth = clouds(6.0)
    unseen = heads.cross_validated(features, truth, several, 0)
    assert (unseen.scores.argmax(1) == truth.argmax(1)).mean() > 0.97
    head = heads.fitted(*heads.flat(features, truth), several, 0)
    strange = heads.scored(head, -features[:, 0] * 3 + RANDOM.normal(0, 8, (ROWS, SIZE)))[1]
    assert np.median(strange) > np.percentile(unseen.distances, 95)


def test_two_classes_have_two_scores() -> None:
    features, truth = clouds(6.0)
    rows = truth[:, 2] == 0
    head = heads.fitted(*heads.flat(features[rows], truth[rows][:, :2]), False, 0)
    scores, _ = heads.scored(head, features[rows, 0])
    assert scores.shape == (rows.sum(), 2)
    assert (scores.argmax(1) == truth[rows].argmax(1)).mean() > 0.97


def test_sureness_is_set_right() -> None:
    features, truth = clouds(2.0)
    scores = heads.cross_validated(features, truth, False, 0).scores * 20
    heat = heads.temperature(scores, truth, False)
    assert heat > 3
    names = [str(at) for at in range(CLASSES)]
    said = np.array(names)[truth.argmax(1)]

    def gap(chances: np.ndarray) -> float:
        rows = calibration(said, chances, names)
        return sum(abs(sure - right) * count for sure, right, count in rows) / ROWS

    assert gap(heads.chances(scores / heat, False)) < gap(heads.chances(scores, False)) / 2


def test_views_are_rows_with_the_labels_of_their_picture() -> None:
    features = np.arange(12).reshape(3, 2, 2)
    rows, labels = heads.flat(features, np.eye(3, dtype=bool))
    assert rows[2].tolist() == [4, 5] and labels[2].tolist() == labels[3].tolist() == [False, True, False]


def test_labels_are_measured() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], bool)
    scores = {row.name: row.value for row in of_labels(truth, np.where(truth, 0.9, 0.2), 0)}
    assert set(scores.values()) == {1.0}
    half = {row.name: row.value for row in of_labels(truth, np.full((4, 2), 0.9), 0)}
    assert half["labels right"] == 0.5 and half["all labels right"] == 0.25


def test_directions_are_those_in_which_features_differ_most() -> None:
    rows = (RANDOM.normal(0, 1, (300, 80)) * np.geomspace(1, 0.01, 80)).astype(np.float32)
    head = heads.fitted(rows, np.eye(2, dtype=bool)[np.arange(300) % 2], False, 0)
    _, _, turned = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    shared = np.linalg.svd(turned[: heads.DIRECTIONS] @ head.directions, compute_uv=False)
    assert shared.min() > 0.999
