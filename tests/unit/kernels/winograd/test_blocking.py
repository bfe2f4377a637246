"""What a thread works on at a time fits its caches where it can, and its scratch always."""

from __future__ import annotations

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import blocking, patch_bytes, product_tile_bytes
from sardonyx.targets.x86_64 import isa

TARGETS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
L2 = pytest.mark.parametrize("l2_bytes", [256 << 10, 512 << 10, 1280 << 10, 2 << 20])


@TARGETS
@L2
@pytest.mark.parametrize("points", [6, 8, 16, 36])
def test_sizes(target: isa.Target, l2_bytes: int, points: int) -> None:
    goal = Goal(replace(target, l2_bytes=l2_bytes))
    shape = TileShape.of(goal, "f32")
    for channels in (1, 16, 33, 64, 256, 512, 2048):
        for outputs in (1, 16, 40, 512):
            cut = blocking(channels, outputs, points, goal)
            assert cut.point_pitch >= channels
            assert cut.tile_pitch >= points * cut.point_pitch
            assert cut.point_pitch // 16 % 2 == cut.tile_pitch // 16 % 2 == 1, (
                "points share sets of the cache"
            )
            assert cut.tiles % shape.max_rows == 0
            assert 1 <= cut.panels <= -(-outputs // shape.columns)
            product = cut.panels * product_tile_bytes(points, shape)
            assert cut.scratch_bytes == patch_bytes(shape) + cut.tiles * (4 * cut.tile_pitch + product)


@TARGETS
def test_small_weights_ask_for_nothing_beyond_the_cache(target: isa.Target) -> None:
    cut = blocking(64, 64, 36, Goal(replace(target, l2_bytes=2 << 20)))
    assert cut.traffic.bytes_of(1000, cut.tiles) == 0
    assert cut.panels == 1


@TARGETS
def test_large_weights_are_read_for_more_tiles(target: isa.Target) -> None:
    goal = Goal(replace(target, l2_bytes=2 << 20))
    small, large = blocking(64, 64, 36, goal), blocking(512, 512, 36, goal)
    assert large.tiles > small.tiles
    weight_bytes = 36 * 512 * 512 * 4
    assert large.traffic.bytes_of(1, large.tiles) == weight_bytes
    assert large.traffic.bytes_of(2 * large.tiles, large.tiles) > 2 * weight_bytes
