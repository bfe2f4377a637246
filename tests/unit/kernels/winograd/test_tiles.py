"""Positions run through columns, lines and samples of tiles as numbers do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.winograd.blocking import LINE_TILES
from sardonyx.kernels.winograd.scheme import ROWS, SQUARES, Scheme
from sardonyx.kernels.winograd.tiles import Along, Beside, Grid, Position
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import run


def grid(f: Function, scheme: Scheme, lines: int, pixels: int, step: int = 1) -> Grid:
    words = {Winograd.LINES: lines, Winograd.PIXELS: pixels}
    words |= dict.fromkeys((Winograd.LINE_STEP, Winograd.PIXEL_STEP), step)
    return Grid.of(f, scheme, {word: int_(size) for word, size in words.items()})


@pytest.mark.parametrize(("lines", "pixels", "outputs"), [(9, 13, 4), (8, 8, 4), (1, 5, 2), (7, 2, 2)])
def test_position_and_the_next(lines: int, pixels: int, outputs: int) -> None:
    high, wide = -(-lines // outputs), -(-pixels // outputs)

    def write(f: Function, tile: V) -> list[V]:
        tiles = grid(f, SQUARES[outputs], lines, pixels)
        at = tiles.position(f, tile)
        return [tiles.count(f), *at.values, *tiles.after(f, at, int_(1)).values]

    for tile in range(3 * high * wide):
        count, *words = (int(v[0]) for v in run(write, np.array([tile], np.int64)))
        assert count == high * wide
        expected = [*np.unravel_index(tile, (4, high, wide)), *np.unravel_index(tile + 1, (4, high, wide))]
        assert words == expected


def test_a_step_to_the_end_of_a_line() -> None:
    def write(f: Function, tile: V) -> list[V]:
        tiles = grid(f, SQUARES[4], 8, 20)
        return tiles.after(f, tiles.position(f, tile), int_(3)).values

    assert [int(v[0]) for v in run(write, np.array([7], np.int64))] == [1, 0, 0]


@pytest.mark.parametrize("scheme", [SQUARES[2], SQUARES[4], ROWS[3]], ids=lambda s: s.name)
@pytest.mark.parametrize("step", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 4, 9, 30])
def test_each_line_and_pixel_is_in_one_tile(scheme: Scheme, step: int, size: int) -> None:
    def write(f: Function, tile: V) -> list[V]:
        tiles = grid(f, scheme, size, size, step)
        firsts = tiles.first(f, Position(int_(0), tile, tile))
        both = zip((tiles.lines, tiles.pixels), firsts, strict=True)
        return [v for along, first in both for v in (along.count, along.step, first, along.left(f, first))]

    for axis, outputs in enumerate(scheme.outputs):
        found: Counter[int] = Counter()
        count, tile = 1, 0
        while tile < count:
            words = [int(v[0]) for v in run(write, np.array([tile], np.int64))]
            count, apart, first, left = words[4 * axis : 4 * axis + 4]
            found.update(first + apart * n for n in range(min(left, outputs)))
            tile += 1
        assert found == Counter(range(size))


@pytest.mark.parametrize("step", [1, 2, 3, 8, 12])
@pytest.mark.parametrize("size", [1, 7, 24, 100])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_tiles_beside_each_other_lie_in_order(step: int, size: int, most: int) -> None:
    outputs = 4

    def write(f: Function, tile: V) -> list[V]:
        along = Along.of(f, int_(size), outputs, int_(step))
        beside = Beside.of(f, along, tile, int_(most))
        pitches = beside.pixel_pitch, beside.tile_pitch
        return [along.count, along.first(f, tile), beside.tiles, beside.pieces, beside.pixels, *pitches]

    given: Counter[int] = Counter()
    count, tile = 1, 0
    while tile < count:
        words = [int(v[0]) for v in run(write, np.array([tile], np.int64))]
        count, first, tiles, pieces, pixels, pixel_pitch, tile_pitch = words
        assert 1 <= tiles <= min(most, LINE_TILES, count - tile)
        firsts = [_first(tile + n, step, outputs) for n in range(tiles)]
        assert firsts[0] == first
        scratch = {
            n * tile_pitch + k * pixel_pitch: firsts[n] + k * step for n, k in np.ndindex(tiles, outputs)
        }
        assert sorted(scratch) == list(range(tiles * outputs))
        for piece in range(pieces):
            passed = [scratch[piece * pixels + n] for n in range(pixels)]
            assert passed == list(range(first + piece * step, first + piece * step + pixels))
            given.update(p for p in passed if p < size)
        assert pieces * pixels == tiles * outputs
        tile += tiles
    assert given == Counter(range(size))


def _first(tile: int, step: int, outputs: int) -> int:
    return tile // step * step * outputs + tile % step
