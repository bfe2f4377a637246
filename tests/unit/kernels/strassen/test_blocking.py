"""How much is worked on at a time: by the caches, in whole tiles, within the scratch that is asked for."""

from __future__ import annotations

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.strassen.blocking import blocking, product_row_bytes, scratch_bytes, twice_blocking
from sardonyx.kernels.strassen.scheme import PRODUCTS
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.targets.x86_64 import isa

TARGETS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)


@TARGETS
@pytest.mark.parametrize("l2_bytes", [256 << 10, 1 << 20, 2 << 20])
@pytest.mark.parametrize(("half", "columns"), [(16, 64), (384, 768), (1536, 768), (384, 3072), (8192, 8192)])
def test_whole_tiles_and_vectors(target: isa.Target, l2_bytes: int, half: int, columns: int) -> None:
    goal = Goal(replace(target, l2_bytes=l2_bytes))
    shape, cut = TileShape.of(goal, "f32"), blocking(half, columns, goal)
    assert cut.pairs % shape.max_rows == 0 < cut.pairs
    assert cut.steps % shape.lanes == 0 < cut.steps <= half
    assert 1 <= cut.panels <= columns // (2 * shape.columns)
    assert cut.pitch >= half
    assert cut.pitch // 16 % 2 == 1, "left operands begin in different sets of a cache"
    used = cut.pairs * (PRODUCTS * cut.pitch * 4 + cut.panels * product_row_bytes(shape))
    assert cut.scratch_bytes == used + scratch_bytes(cut.pairs, shape)
    beside = (5 * shape.max_rows + 2 * shape.columns) * 4
    assert (cut.steps - shape.lanes) * beside <= l2_bytes * 3 // 4


@TARGETS
@pytest.mark.parametrize("l2_bytes", [256 << 10, 1 << 20, 2 << 20])
@pytest.mark.parametrize(("quarter", "columns"), [(16, 128), (192, 768), (768, 768), (96, 384), (4096, 8192)])
def test_whole_tiles_and_vectors_of_fours(
    target: isa.Target, l2_bytes: int, quarter: int, columns: int
) -> None:
    goal = Goal(replace(target, l2_bytes=l2_bytes))
    shape, cut = TileShape.of(goal, "f32"), twice_blocking(quarter, columns, goal)
    assert cut.fours % shape.max_rows == 0 < cut.fours
    assert cut.steps % shape.lanes == 0 < cut.steps <= quarter
    assert 1 <= cut.panels <= max(1, columns // (4 * shape.columns))
    operands = PRODUCTS * cut.fours * cut.steps * 4 + 4 * cut.steps * shape.panel_row_bytes
    products = cut.fours * product_row_bytes(shape) * (1 + 4 * cut.panels)
    assert cut.scratch_bytes >= operands + products + scratch_bytes(2 * cut.fours, shape)
    beside = PRODUCTS * cut.fours * 4 + 8 * shape.panel_row_bytes
    assert (cut.steps - shape.lanes) * beside <= l2_bytes * 3 // 4


@TARGETS
def test_weights_are_read_once_for_200_rows(target: isa.Target) -> None:
    goal = Goal(target)
    for half, columns in ((192, 384), (384, 768), (384, 3072)):
        cut = blocking(half, columns, goal)
        assert cut.pairs >= 99, "the 197 rows of a ViT are one block"
        assert cut.panels == 128 // TileShape.of(goal, "f32").columns
    assert blocking(8192, 8192, goal).pairs < blocking(384, 3072, goal).pairs, "left operands stay small"
