"""A forest's kernel is generated for the types and comparisons that occur in it."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.kernels.trees.arguments import Forest
from sardonyx.kernels.trees.clusters import Layout
from sardonyx.kernels.trees.driver import forest_ir
from sardonyx.object import engine

TARGET = targets.detect()


def forest_of(dtype: DType, weights: DType, modes: tuple[int, ...], missing: bool, combine: str) -> Forest:
    masks = (len(modes) if len(modes) > 1 else 0) + missing
    layout = Layout(dtype.size_bytes, masks, 2, 1)
    return Forest(dtype, weights, modes, missing, combine, layout)


@pytest.mark.parametrize("combine", ["sum", "min", "max"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("modes", [(0,), (0, 3, 5)])
def test_kernels(combine: str, missing: bool, modes: tuple[int, ...]) -> None:
    forest = forest_of(dt.F32, dt.F32, modes, missing, combine)
    text = forest_ir(forest, TARGET)
    assert f"define void @{forest.symbol}(" in text
    assert ("fcmp uno" in text) == missing
    assert engine.compile_object(text, TARGET)


def test_one_comparison_needs_no_mode() -> None:
    plain, mixed = (forest_ir(forest_of(dt.F32, dt.F32, m, False, "sum"), TARGET) for m in ((1,), (0, 1)))
    assert plain.count("fcmp olt") < mixed.count("fcmp olt") + mixed.count("fcmp ole")
