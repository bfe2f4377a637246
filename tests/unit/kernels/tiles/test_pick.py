"""Every number of rows has a micro-kernel, a wide and a narrow one, and few rows one whose k is split."""

from __future__ import annotations

import ctypes

import pytest

from sardonyx.kernels.tiles.pick import define_pick, define_pick_differing, few_rows
from tests.unit.kernels.tiles.made import FLOATS, Made, shape_of


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_kernel_of_a_tile_has_its_rows_and_width(dtype: str) -> None:
    shape = shape_of(dtype)
    made = Made(lambda module: define_pick(module, shape))

    def picked(rows: int, narrow: bool, few: bool) -> int:
        return made.call(made.names, rows, narrow, few, result=ctypes.c_int64) or 0

    for rows in range(1, shape.max_rows + 1):
        for narrow in (False, True):
            width = 1 if narrow else shape.vectors
            plain = made.address(f"brgemm_{dtype}_{rows}x{width}")
            assert picked(rows, narrow, False) == plain
            assert (picked(rows, narrow, True) != plain) == (rows <= few_rows(shape))
    assert picked(0, False, False) == picked(shape.max_rows + 1, False, False) == 0


def test_every_number_of_rows_has_a_kernel_that_makes_differences() -> None:
    shape = shape_of("f32")
    made = Made(lambda module: define_pick_differing(module, shape))
    for rows in range(1, shape.max_rows + 1):
        found = made.call(made.names, rows, result=ctypes.c_int64)
        assert found == made.address(f"strassen_f32_{rows}x{shape.vectors}")
    assert not made.call(made.names, shape.max_rows + 1, result=ctypes.c_int64)
