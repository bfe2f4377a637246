"""A graph that breaks an invariant is named with the value that does."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import CompileError
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ir.verify import verify

N = dims.symbol("N")
X = placeholder("x", dt.F32, (N, 2))


def nonsense() -> Value:
    """A value of a primitive that is in no table."""
    value = Value("neg", (X,), {}, dt.F32, (N, 2), None)
    value.prim = "nonsense"
    return value


def test_a_sound_graph_passes() -> None:
    verify(Graph((X,), (("y", X.exp() + 1),)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nonsense(), "unknown primitive"),
        (placeholder("other", dt.F32, (2,)), "not one of the graph's"),
        (X.slice((0, 0), (dims.symbol("M"), 2)), "nothing gives the size M"),
        (Value("const", (), {}, dt.F32, (3,), np.zeros(2, np.float32)), r"its data has shape \(2,\)"),
        (Value("add", (X, const(np.float32(1))), {}, dt.F32, (N, 2), None), "another rank"),
    ],
)
def test_a_broken_one_is_named(value: Value, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        verify(Graph((X,), (("y", value),)))
