"""A model written in onnxscript: a loop of functions that call functions, with a branch in one."""

from __future__ import annotations

from typing import Any

from onnxscript import FLOAT, INT64, script
from onnxscript import opset21 as op
from onnxscript.values import Opset

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
