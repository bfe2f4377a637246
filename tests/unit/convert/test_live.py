"""Functions for live objects take objects, not the names of files."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sardonyx.convert import live
from sardonyx.convert.framework import ConvertError


def test_an_object_is_converted_and_a_text_refused() -> None:
    x = np.arange(8.0).reshape(4, 2)
    model = LinearRegression().fit(x, x.sum(1))
    converted = live.from_sklearn(model, sample=x)
    assert converted.parity is not None
    with pytest.raises(ConvertError, match="is a text"):
        live.from_sklearn("model.pkl")


def test_every_function_is_of_a_framework() -> None:
    from sardonyx.convert.frameworks import framework

    makers = [made for name, made in vars(live).items() if name.startswith("from_")]
    assert len(makers) == 8
    assert all(framework(made.args[0]).kind == made.args[0] for made in makers)
