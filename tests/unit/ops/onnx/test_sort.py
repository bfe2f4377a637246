"""TopK: NaN is above all numbers, also where one element is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx

TYPES = {"float": np.float32, "float16": np.float16, "double": np.float64}


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [1, 2])
def test_the_best_of_lines_with_nan(name: str, largest: int, axis: int) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
g ({name}[N,H,W] x) => ({name}[A,B,C] y, int64[A,B,C] at) <int64[1] k = {{1}}> {{
  y, at = TopK <axis: int = {axis}, largest: int = {largest}> (x, k)
}}"""
    made = sardonyx.InferenceSession(onnx.parser.parse_model(text).SerializeToString())
    x: Any = np.random.default_rng(axis).choice([np.nan, np.inf, -np.inf, 1.5, -2.0], (40, 3, 3))
    x = x.astype(TYPES[name])
    y, at = made.run(None, {"x": x})
    ordered = np.sort(x, axis)
    np.testing.assert_array_equal(y, np.take(ordered, [-1 if largest else 0], axis))
    np.testing.assert_array_equal(np.take_along_axis(x, at, axis), y)
