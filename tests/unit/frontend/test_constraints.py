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
    ],
)
def test_others_are_named(op: str, inputs: list[Value], parameter: str) -> None:
    with pytest.raises(LoadError, match=rf"Type Error.*\({parameter}\) of operator \({op}\)") as error:
        check(op, 21, "", inputs)
    assert error.value.kind == "graph"
