"""A forest's kernel is generated for the types and comparisons that occur in it."""

from __future__ import annotations

import itertools

import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.kernels.trees.driver import Forest, forest_ir
from sardonyx.object import engine

TARGET = targets.detect()


@pytest.mark.parametrize("combine", ["sum", "min", "max"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("modes", [(0,), (0, 3, 5)])
def test_kernels(combine: str, missing: bool, modes: tuple[int, ...]) -> None:
    forest = Forest(dt.F32, dt.F32, modes, missing, combine)
    text = forest_ir(forest, TARGET)
    assert f"define void @{forest.symbol}(" in text
    assert ("fcmp uno" in text) == missing or missing is False
    assert engine.compile_object(text, TARGET)


def test_one_comparison_needs_no_mode() -> None:
    plain, mixed = (forest_ir(Forest(dt.F32, dt.F32, m, False, "sum"), TARGET) for m in ((1,), (0, 1)))
    assert plain.count("fcmp olt") < mixed.count("fcmp olt") + mixed.count("fcmp ole")


def test_names_and_nodes() -> None:
    kinds = [
        Forest(d, w, m, s, c)
        for d, w, m, s, c in itertools.product(
            (dt.F32, dt.F64), (dt.F32, dt.F64), ((0,), (1,)), (False, True), ("sum", "max")
        )
    ]
    assert len({forest.symbol for forest in kinds}) == len(kinds)
    assert {forest.node_bytes for forest in kinds if forest.dtype is dt.F32} == {16}
    assert all(forest.node_bytes == 32 for forest in kinds if forest.dtype is dt.F64)
