"""Measures are their definitions, and intervals hold them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import roc_auc_score

from sardonyx.train.scores import calibration, confusion, minus_log_loss, of_classes, of_values

TRUTH = np.array(["a", "b", "b", "c", "a", "b"])
CHANCES = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.05, 0.9, 0.05]]
)


def test_classes() -> None:
    scores = {score.name: score for score in of_classes(TRUTH, CHANCES, ["a", "b", "c"], 1)}
    assert scores["accuracy"].value == pytest.approx(5 / 6)
    assert scores["balanced accuracy"].value == pytest.approx((1 + 2 / 3 + 1) / 3)
    right = [0.8, 0.7, 0.3, 0.8, 0.4, 0.9]
    assert scores["log loss"].value == pytest.approx(-np.log(right).mean())
    for score in scores.values():
        assert score.low <= score.high
    again = {score.name: score for score in of_classes(TRUTH, CHANCES, ["a", "b", "c"], 1)}
    assert again["accuracy"] == scores["accuracy"], "draws repeat"


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("digits", [1, 6])
def test_the_area_is_that_under_the_curve(rng: np.random.Generator, count: int, digits: int) -> None:
    """With few digits many chances are equal."""
    truth = np.array(list("abcde"))[rng.integers(0, count, 80)]
    chances = rng.dirichlet(np.ones(count), 80).round(digits)
    chances[:, -1] = 1 - chances[:, :-1].sum(1)
    classes = sorted(set(truth))
    scores = {score.name: score for score in of_classes(truth, chances, classes, 1)}
    asked = chances[:, 1] if count == 2 else chances
    expected = roc_auc_score(truth, asked, multi_class="ovr")
    assert scores["area under ROC"].value == pytest.approx(expected, rel=1e-12)


def test_nothing_is_not_less_than_nothing() -> None:
    sure = of_classes(TRUTH, np.eye(3)[np.searchsorted(["a", "b", "c"], TRUTH)], ["a", "b", "c"], 1)
    assert [f"{score.value:g} {score.low:g}" for score in sure] == ["1 1", "1 1", "1 1", "0 0"]


def test_values() -> None:
    truth, said = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 6])
    rms, absolute, explained = of_values(truth, said, 1)
    assert rms.value == pytest.approx(1)
    assert absolute.value == pytest.approx(0.5)
    assert explained.value == pytest.approx(1 - 4 / 5)
    assert rms.low <= rms.value <= rms.high


def test_how_sure_and_how_right() -> None:
    rows = calibration(TRUTH, CHANCES, ["a", "b", "c"])
    assert sum(count for _, _, count in rows) == 6
    assert rows[-1] == (pytest.approx(0.9), 1.0, 1)
    counts = confusion(TRUTH, np.array(["a", "b", "a", "c", "a", "b"]), ["a", "b", "c"])
    assert counts.tolist() == [[2, 0, 0], [1, 2, 0], [0, 0, 1]]


def test_a_class_that_a_model_never_met_costs_most() -> None:
    model = DummyClassifier().fit([[0], [0], [0]], ["a", "a", "c"])
    assert minus_log_loss(model, [[0], [0]], np.array(["a", "c"])) == pytest.approx(
        (np.log(2 / 3) + np.log(1 / 3)) / 2
    )
    assert minus_log_loss(model, [[0], [0]], np.array(["b", "d"])) == pytest.approx(np.log(1e-15))
