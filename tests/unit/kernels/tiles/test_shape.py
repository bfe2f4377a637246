"""The register tile of a kernel is the row of its target's table, in elements and bytes."""

from __future__ import annotations

import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.tiles.shape import TileShape, vector_lanes
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("dtype", "suffix", "size"), [("float", "f32", 4), ("double", "f64", 8), ("i32", "i16", 4)]
)
def test_sizes_follow_from_the_row(target: Target, dtype: str, suffix: str, size: int) -> None:
    goal = Goal(target)
    shape, row = TileShape.of(goal, suffix), goal.tile(suffix)
    assert (shape.max_rows, shape.vectors, shape.operand) == (row.rows, row.vectors, suffix)
    assert shape.lanes == vector_lanes(target, dtype) == target.lanes * 4 // size
    assert shape.columns == shape.vectors * shape.lanes
    assert shape.element == size == shape.depth * shape.operand_bytes
    assert shape.a_type == {"i16": "i16"}.get(suffix, dtype)
    assert shape.is_float == (dtype != "i32")
    assert shape.panel_row_bytes == shape.columns * size
    assert shape.tile_bytes == shape.max_rows * shape.panel_row_bytes
    assert shape.vector == f"<{shape.lanes} x {dtype}>"
