"""Inputs of a type that no version of an operator takes are refused in the peer's words."""

from __future__ import annotations

import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError
from sardonyx.frontend.constraints import check
from sardonyx.ir.value import Value, make, placeholder


def x(dtype: dt.DType) -> Value:
    return placeholder("x", dtype, (2,))


def test_types_of_any_version_pass() -> None:
    check("Relu", 6, "", [x(dt.F32)])
    check("Relu", 6, "", [x(dt.I32)])
    check("Concat", 13, "", [x(dt.F32)] * 5)
    check("Clip", 13, "", [x(dt.F32), None, x(dt.F32)])
    check("NoSuchOperator", 13, "", [x(dt.BOOL)])
    check("SequenceLength", 13, "", [make("sequence", (x(dt.F32),), {}, dt.OBJECT, ())])


@pytest.mark.parametrize(
    ("op", "inputs", "parameter"),
    [
        ("Exp", [x(dt.I32)], "input"),
        ("Gather", [x(dt.F32), x(dt.F32)], "indices"),
        ("Concat", [x(dt.F32), make("sequence", (x(dt.F32),), {}, dt.OBJECT, ())], "inputs"),
        ("SequenceAt", [x(dt.F32), x(dt.I64)], "input_sequence"),
        ("SequenceLength", [make("optional", (x(dt.F32),), {"type": ""}, dt.OBJECT, ())], "input_sequence"),
        ("SequenceErase", [Value("input", (), {"type": "map("}, dt.OBJECT, (), None)], "input_sequence"),
    ],
)
def test_others_are_named(op: str, inputs: list[Value], parameter: str) -> None:
    with pytest.raises(LoadError, match=rf"Type Error.*\({parameter}\) of operator \({op}\)") as error:
        check(op, 21, "", inputs)
    assert error.value.kind == "graph"


@pytest.mark.parametrize(
    ("op", "opset", "types", "parameter"),
    [
        ("LayerNormalization", 17, (dt.F16, dt.F32, dt.F32), "Scale"),
        ("LayerNormalization", 17, (dt.F16, dt.F16, dt.F32), "B"),
        ("Add", 14, (dt.F32, dt.I64), "B"),
        ("Clip", 13, (dt.F32, None, dt.F16), "max"),
        ("Pad", 18, (dt.F32, dt.I64, dt.F16), "constant_value"),
        ("Range", 11, (dt.F32, dt.I64, dt.F32), "limit"),
        ("Concat", 13, (dt.F32, dt.F32, dt.F16), "inputs"),
        ("Max", 13, (dt.F32, dt.F16), "data_0"),
        ("BatchNormalization", 15, (dt.F32, dt.F32, dt.F32, dt.F32, dt.F16), "input_var"),
    ],
)
def test_types_that_no_version_mixes_are_named(
    op: str, opset: int, types: tuple[dt.DType | None, ...], parameter: str
) -> None:
    told = rf"Type parameter of Optype \({op}\) bound to different types .*cast its input {parameter}$"
    with pytest.raises(LoadError, match=told) as error:
        check(op, opset, "", [t and x(t) for t in types])
    assert error.value.kind == ""


def test_types_that_a_version_mixes_pass() -> None:
    check("BatchNormalization", 9, "", [x(t) for t in (dt.F16, dt.F16, dt.F16, dt.F32, dt.F32)])
    check("RMSNormalization", 23, "", [x(dt.F16), x(dt.F32)])
    check("Pow", 7, "", [x(dt.F32), x(dt.I64)])
    check("Loop", 16, "", [x(dt.I64), x(dt.BOOL), x(dt.F32), x(dt.F16)])
    check("Where", 16, "", [x(dt.BOOL), x(dt.F32), x(dt.F32)])
    check("QuantizeLinear", 13, "", [x(dt.F32), x(dt.F32), x(dt.U8)])
