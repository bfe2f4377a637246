"""Calls of operators that compute each element alone."""

from __future__ import annotations

from tests.property.operators.draw import Draw
from tests.property.operators.recipe import Call, recipe


@recipe("Add", "Sub", "Mul", opsets=(7, 13, 14))
def arithmetic(d: Draw) -> Call:
    a, b = d.broadcasting(2)
    return Call([d.array(a), d.array(b)])
