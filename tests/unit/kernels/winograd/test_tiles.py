"""Positions run through columns, lines and samples of tiles as numbers do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.winograd.scheme import ROWS, SQUARES, Scheme
from sardonyx.kernels.winograd.tiles import Grid, Position
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import run


def grid(f: Function, scheme: Scheme, lines: int, pixels: int, step: int = 1) -> Grid:
    words = {Winograd.LINES: lines, Winograd.PIXELS: pixels, Winograd.LINE_STEP: step}
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
@pytest.mark.parametrize("height", [1, 4, 9, 30])
def test_each_line_is_in_one_tile(scheme: Scheme, step: int, height: int) -> None:
    def write(f: Function, line: V) -> list[V]:
        tiles = grid(f, scheme, height, 4, step)
        first = tiles.first_line(f, Position(int_(0), line, int_(0)))
        return [tiles.lines, tiles.step, first, tiles.lines_from(f, first)]

    found: Counter[int] = Counter()
    (count,) = (int(v[0]) for v in run(lambda f, line: write(f, line)[:1], np.array([0], np.int64)))
    for line in range(count):
        _, apart, first, left = (int(v[0]) for v in run(write, np.array([line], np.int64)))
        found.update(first + apart * n for n in range(min(left, scheme.outputs[0])))
    assert found == Counter(range(height))
