"""Positions run through columns, lines and samples of tiles as numbers do."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.winograd.tiles import Grid
from sardonyx.llvm.vec import Function, V, int_
from tests.unit.llvm.written import run


@pytest.mark.parametrize(("lines", "pixels", "outputs"), [(9, 13, 4), (8, 8, 4), (1, 5, 2), (7, 2, 2)])
def test_position_and_the_next(lines: int, pixels: int, outputs: int) -> None:
    high, wide = -(-lines // outputs), -(-pixels // outputs)

    def write(f: Function, tile: V) -> list[V]:
        grid = Grid.of(f, int_(lines), int_(pixels), outputs)
        at = grid.position(f, tile)
        return [grid.count(f), *at.values, *grid.after(f, at, int_(1)).values]

    for tile in range(3 * high * wide):
        count, *words = (int(v[0]) for v in run(write, np.array([tile], np.int64)))
        assert count == high * wide
        expected = [*np.unravel_index(tile, (4, high, wide)), *np.unravel_index(tile + 1, (4, high, wide))]
        assert words == expected


def test_a_step_to_the_end_of_a_line() -> None:
    def write(f: Function, tile: V) -> list[V]:
        grid = Grid.of(f, int_(8), int_(20), 4)
        return grid.after(f, grid.position(f, tile), int_(3)).values

    assert [int(v[0]) for v in run(write, np.array([7], np.int64))] == [1, 0, 0]
