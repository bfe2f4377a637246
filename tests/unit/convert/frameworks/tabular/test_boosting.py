"""Labels and probabilities, whether a booster or an estimator is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.frameworks.tabular.boosting import answers, classes_of, first_line, floor32


def booster(values: Any) -> Any:
    return SimpleNamespace(predict=lambda rows: values)


def test_an_estimator_answers_for_itself() -> None:
    model = SimpleNamespace(predict=lambda rows: ["a"], predict_proba=lambda rows: [[0.75, 0.25]])
    label, chances = answers(model, None, is_classifier=True)
    assert (label.tolist(), chances.tolist()) == (["a"], [[0.75, 0.25]])
    (values,) = answers(model, None, is_classifier=False)
    assert values.tolist() == ["a"]


@pytest.mark.parametrize(
    ("values", "is_classifier", "expected"),
    [
        ([0.25, 2.0], False, [[0.25, 2.0]]),
        ([0.25, 0.75], True, [[0, 1], [[0.75, 0.25], [0.25, 0.75]]]),
        ([[0.1, 0.9], [0.8, 0.2]], True, [[1, 0], [[0.1, 0.9], [0.8, 0.2]]]),
    ],
)
def test_a_booster_s_numbers_are_read(values: Any, is_classifier: bool, expected: Any) -> None:
    found = answers(booster(values), None, is_classifier=is_classifier)
    assert [part.tolist() for part in found] == expected


def test_names_and_words() -> None:
    assert classes_of(SimpleNamespace(classes_=np.array([1, 2]))) == ("1", "2")
    assert classes_of(object()) == ()
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"


def test_a_border_is_the_same_for_every_float32() -> None:
    random = np.random.default_rng(0)
    for border in (*random.normal(0, 1e3, 200), 0.1, -0.1, 0.0, 1e-35):
        near = floor32(float(border))
        assert near == float(np.float32(near))
        for value in (np.float32(near), np.nextafter(np.float32(near), np.float32(np.inf))):
            assert (float(value) <= border) == (value <= np.float32(near))
