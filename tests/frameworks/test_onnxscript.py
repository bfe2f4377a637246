"""Models written in onnxscript: functions that call functions, branches and loops in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnxscript import FLOAT, INT64, script
from onnxscript import opset21 as op
from onnxscript.values import Opset

import sardonyx

OWN = Opset("own.ops", 1)


@script(OWN, default_opset=op)
def scaled(x: Any, factor: float = 2.0) -> Any:
    return op.Mul(x, op.CastLike(op.Constant(value_float=factor), x))


@script(OWN, default_opset=op)
def bounded(x: Any, most: float) -> Any:
    norm = op.ReduceL2(x, keepdims=0)
    small = norm < most
    if small:  # noqa: SIM108 - a branch of the model
        result = x
    else:
        result = scaled(op.Div(x, norm), factor=0.5)
    return result


@script(default_opset=op)
def model(x: FLOAT["N", 4], n: INT64) -> FLOAT["N", 4]:  # noqa: F821, UP037 - names of sizes
    s = x
    for _i in range(n):
        s = bounded(s, most=0.75) + scaled(x)
    large = op.ReduceMax(op.Abs(s), keepdims=0) > 1.0
    while large:
        s = s * 0.5
        large = op.ReduceMax(op.Abs(s), keepdims=0) > 1.0
    return s


def expected(x: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    s = x
    for _ in range(n):
        norm = np.linalg.norm(s)
        s = (s if norm < 0.75 else s / norm * 0.5) + x * 2
    while np.abs(s).max() > 1:
        s = s * 0.5
    return s


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_functions_branches_and_loops(rows: int, n: int) -> None:
    session = sardonyx.InferenceSession(model.to_model_proto().SerializeToString())
    for scale in (1e-3, 1.0):
        x = (np.random.default_rng(rows).normal(size=(rows, 4)) * scale).astype(np.float32)
        (y,) = session.run(None, {"x": x, "n": np.array(n)})
        np.testing.assert_allclose(y, expected(x.astype(np.float64), n), rtol=1e-5, atol=1e-9)
    assert not session.report.fallbacks
