"""Functions of numpy inside pipelines say as ONNX what they say in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
import scipy.special
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular.sklearn_functions import FORMULAS

ROWS = np.random.default_rng(0).normal(size=(40, 3))
ODD = np.concatenate([ROWS, ROWS * 1e-9, [[0.0, -0.5, 2.5], [np.nan, np.inf, -np.inf]]])


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_functions(name: str, double: bool) -> None:
    function = getattr(np, name, None) or getattr(scipy.special, name)
    model = FunctionTransformer(function).fit(ROWS)
    assert from_sklearn(model, sample=ODD, double=double).parity.holds


def test_functions_of_some_columns() -> None:
    frame = pandas.DataFrame(ROWS, columns=list("abc")).assign(c=np.arange(40))
    columns = ColumnTransformer(
        [
            ("l", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["c"]),
            ("i", FunctionTransformer(), ["a", "b"]),
        ]
    )
    assert from_sklearn(make_pipeline(columns, Ridge()).fit(frame, ROWS[:, 0]), sample=frame).parity.holds


def clipped(rows: Any) -> Any:
    return np.clip(rows, 0, 1)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (FunctionTransformer(clipped), "clipped"),
        (FunctionTransformer(np.isnan), "isnan"),
        (FunctionTransformer(np.exp, kw_args={"where": True}), "exp"),
    ],
)
def test_other_functions_are_named(model: Any, name: str) -> None:
    with pytest.raises(ConvertError, match=f"the function '{name}' .* these of numpy have one: absolute"):
        from_sklearn(model.fit(ROWS), sample=ROWS)
