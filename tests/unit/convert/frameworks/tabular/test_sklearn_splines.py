"""Splines say as ONNX what they say in scikit-learn, beyond their knots as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import SplineTransformer

from sardonyx.convert import from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_splines

ROWS = np.random.default_rng(0).normal(size=(60, 3))
FAR = np.concatenate([ROWS, 3 * ROWS, [[0.0, 50.0, -50.0]]])


@pytest.mark.parametrize("options", [{}, {"include_bias": False, "degree": 2}, {"knots": "quantile"}])
@pytest.mark.parametrize("beyond", ["constant", "linear", "continue", "periodic"])
def test_splines(beyond: str, options: dict[str, Any]) -> None:
    model = SplineTransformer(extrapolation=beyond, **options).fit(ROWS)
    assert from_sklearn(model).parity.holds
    assert from_sklearn(model, sample=FAR, double=True).parity.holds


def test_knots_that_come_twice() -> None:
    rows = np.round(np.abs(ROWS))
    model = SplineTransformer(knots="quantile", n_knots=6).fit(rows)
    assert from_sklearn(model, sample=np.concatenate([rows, FAR])).parity.holds


def test_missing_numbers_are_zeros() -> None:
    rows = np.where(ROWS > 1, np.nan, ROWS)
    model = SplineTransformer(handle_missing="zeros").fit(rows)
    assert from_sklearn(model, sample=rows).parity.holds


def test_skl2onnx_is_as_it_was_afterwards() -> None:
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    before = dict(known)
    with sklearn_splines.registered():
        assert known[SplineTransformer] == "SardonyxSplineTransformer"
    assert known == before
