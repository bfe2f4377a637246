"""A primitive takes the element types that its row names, and says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.types import check


@dataclass
class Operand:
    dtype: dt.DType


def operands(*dtypes: dt.DType) -> list[Operand]:
    return [Operand(dtype) for dtype in dtypes]


@pytest.mark.parametrize(
    ("prim", "dtypes", "message"),
    [
        ("sqrt", (dt.I32,), "sqrt is not defined for int32"),
        ("neg", (dt.BOOL,), "neg is not defined for bool"),
        ("shl", (dt.F32, dt.F32), "shl is not defined for float, float"),
        ("concat", (dt.F32, dt.F64), r"different element types \['float', 'double'\]"),
        ("dot", (dt.F32, dt.F64), "dot of different element types"),
        ("pad", (dt.I32, dt.F32), "pad of different element types"),
        ("where", (dt.I32, dt.F32, dt.F32), "condition of type bool, not int32"),
        ("gather", (dt.F32, dt.F32), "positions of gather must be integers, not float"),
        ("add", (dt.OBJECT, dt.F32), "needs a tensor"),
    ],
)
def test_others_are_refused(prim: str, dtypes: tuple[dt.DType, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        check(prim, operands(*dtypes))


@pytest.mark.parametrize(
    ("prim", "dtypes"),
    [
        ("sqrt", (dt.F64,)),
        ("concat", (dt.F32,)),
        ("eq", (dt.STRING, dt.STRING)),
        ("and", (dt.BOOL, dt.BOOL)),
        ("gather", (dt.F32, dt.I64)),
        ("scatter_nd", (dt.F32, dt.I64, dt.F32)),
        ("topk", (dt.OBJECT,)),
    ],
)
def test_its_own_are_taken(prim: str, dtypes: tuple[dt.DType, ...]) -> None:
    check(prim, operands(*dtypes))
