"""Calls of operators that move elements without computing."""

from __future__ import annotations

from tests.property.operators.draw import Draw
from tests.property.operators.recipe import Call, recipe


@recipe("Transpose")
def transpose(d: Draw) -> Call:
    x = d.array(d.shape())
    return Call([x], perm=d.maybe(d.order(x.ndim)))
