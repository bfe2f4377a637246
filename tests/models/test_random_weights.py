"""The networks that ship with constant weights agree with onnxruntime on random ones, which hide nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import sardonyx
from sardonyx import zoo
from tests.models.marks import marks
from tests.models.random_weights import with_random_weights
from tests.tolerance import difference_of_models

ERRORS_ONLY = 3


def constant_networks() -> list[object]:
    found = [model for model in zoo.models() if model.name.startswith("light_")]
    return [
        pytest.param(model.name, marks=marks(model.name, quick=model.quick), id=model.name) for model in found
    ]


@pytest.mark.parametrize("name", constant_networks())
def test_agrees_with_onnxruntime(name: str) -> None:
    model, feeds = with_random_weights(Path(zoo.fetch_one(name))), zoo.feeds(name)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    expected = onnxruntime.InferenceSession(model, options).run(None, feeds)
    results = sardonyx.InferenceSession(model).run(None, feeds)
    for actual, right in zip(results, expected, strict=True):
        assert np.ptp(right) > 0
        wrong = difference_of_models(actual, right)
        assert wrong is None, wrong
