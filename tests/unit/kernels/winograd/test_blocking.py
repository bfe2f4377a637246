"""What a thread works on at a time fits its caches where it can, and its scratch always."""

from __future__ import annotations

import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.digits.kernel import SUM_BYTES
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.blocking import (
    blocking,
    few_tiles,
    packed_sizes,
    patch_bytes,
    product_tile_bytes,
)
from sardonyx.kernels.winograd.scheme import ALL, SQUARES, WHOLE_SQUARES, Scheme, on_registers
from sardonyx.targets.x86_64 import isa

TARGETS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
L2 = pytest.mark.parametrize("l2_bytes", [256 << 10, 512 << 10, 1280 << 10, 2 << 20])


@TARGETS
@L2
@pytest.mark.parametrize("scheme", ALL, ids=lambda s: s.name)
def test_sizes(target: isa.Target, l2_bytes: int, scheme: Scheme) -> None:
    goal, points = Goal(replace(target, l2_bytes=l2_bytes)), scheme.points
    shape = TileShape.of(goal, scheme.operand)
    for channels in (1, 16, 33, 64, 256, 512, 2048):
        for outputs in (1, 16, 40, 512):
            cut = blocking(channels, outputs, scheme, goal)
            assert cut.point_pitch >= -(-channels // shape.block) * shape.block * shape.operand_bytes
            assert cut.tile_pitch >= points * cut.point_pitch
            assert {pitch % 128 for pitch in (cut.point_pitch, cut.tile_pitch)} == {64}, "points share sets"
            assert cut.tiles % shape.max_rows == 0
            assert 1 <= cut.panels <= -(-outputs // shape.columns)
            product = cut.panels * product_tile_bytes(points, shape)
            assert cut.scratch_bytes == patch_bytes(shape, scheme) + cut.tiles * (cut.tile_pitch + product)


@TARGETS
def test_small_weights_ask_for_nothing_beyond_the_cache(target: isa.Target) -> None:
    cut = blocking(64, 64, SQUARES[4], Goal(replace(target, l2_bytes=2 << 20)))
    assert cut.traffic.bytes_of(1000, cut.tiles) == 0
    assert cut.panels == 1


@TARGETS
def test_large_weights_are_read_for_more_tiles(target: isa.Target) -> None:
    goal = Goal(replace(target, l2_bytes=2 << 20))
    small, large = blocking(64, 64, SQUARES[4], goal), blocking(512, 512, SQUARES[4], goal)
    assert large.tiles > small.tiles
    weight_bytes = 36 * 512 * 512 * 4
    assert large.traffic.bytes_of(1, large.tiles) == weight_bytes
    assert large.traffic.bytes_of(2 * large.tiles, large.tiles) > 2 * weight_bytes


@TARGETS
def test_integers_take_half_the_room(target: isa.Target) -> None:
    goal = Goal(replace(target, l2_bytes=2 << 20))
    floats, integers = (blocking(512, 512, of[4], goal) for of in (SQUARES, WHOLE_SQUARES[dt.I16]))
    assert 2 * integers.traffic.weight_bytes == floats.traffic.weight_bytes
    assert integers.tile_pitch < 0.55 * floats.tile_pitch


def test_a_strip_fills_registers_and_has_room_for_its_digits() -> None:
    (tile,) = (tile for tile in isa.V4.matrices if tile.name == "s8x6")
    goal, matrix = Goal(replace(isa.V4, l2_bytes=2 << 20)), MatrixShape(tile)
    for scheme in on_registers(tile):
        shape = TileShape.of(goal, scheme.operand)
        for channels, outputs in ((5, 20), (64, 64), (300, 512), (4000, 16)):
            cut = blocking(channels, outputs, scheme, goal)
            padded = packed_sizes(channels, outputs, scheme, goal)
            assert [size % by for size, by in zip(padded, (64, 16), strict=True)] == [0, 0]
            digits = padded[0] * matrix.planes
            assert cut.traffic.weight_bytes == scheme.points * padded[1] * (digits + 4)
            assert cut.tiles % tile.rows == 0
            strip = scheme.points * cut.tiles * digits
            floats = scheme.points * -(-channels // 16) * 16 * 4
            products = (cut.tiles + tile.rows) * product_tile_bytes(scheme.points, shape)
            assert cut.scratch_bytes >= patch_bytes(shape, scheme) + floats + strip + products + SUM_BYTES


def test_the_more_weights_the_more_tiles_share_them() -> None:
    (tile,) = (tile for tile in isa.V4.matrices if tile.name == "s8x6")
    goal = Goal(replace(isa.V4, l2_bytes=2 << 20))
    found = [blocking(n, n, replace(SQUARES[4], tile=tile), goal).tiles for n in (64, 128, 256)]
    assert found[0] < found[1] < found[2]


def test_threads_share_panels_of_weights_that_they_would_wait_for() -> None:
    """As measured: 25 tiles a thread hide the reading of 1.2 MB, 8 tiles do not hide that of 4.7 MB."""
    scheme, whole = WHOLE_SQUARES[dt.U8][4], Goal(replace(isa.V4, unit_lanes=16, l2_bytes=1 << 20))
    assert few_tiles(64, 64, scheme, whole) == 0
    assert 8 < few_tiles(128, 128, scheme, whole) == few_tiles(256, 256, scheme, whole) <= 25
    common = Goal(isa.V4)
    assert few_tiles(256, 256, scheme, common) > blocking(256, 256, scheme, common).tiles
