"""Where samples lie along an axis is what numpy says, and none inside is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.region import sampled
from sardonyx.kernels.numeric.region_lines import Line, whole
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import float_, int_
from tests.unit.llvm.written import formula, run

CASES = [
    (2.25, 5.0, 2, 9),
    (-3.5, 12.0, 0, 7),
    (6.0, -4.0, 2, 7),
    (-9.0, 2.0, 3, 5),
    (0.0, 0.0, 1, 1),
    (5.0, 0.0, 1, 5),
    (-1.0, 0.0, 1, 5),
    (2.375, 3.5, 2, 5),
]
CELLS = 3


def line(f: Any, start: float, length: float, ratio: int, size: int) -> Line:
    values = (Lanes(f, float_(v, "double")) for v in (start, length))
    return Line.of(*values, int_(CELLS), int_(ratio), int_(size))


@pytest.mark.parametrize("case", CASES)
def test_samples(case: tuple[float, float, int, int]) -> None:
    start, length, ratio, size = case
    count = ratio or int(np.ceil(length / CELLS))
    low, high, weight, inside = sampled(start, length, CELLS, count, size)
    for number in range(CELLS * count):
        cell, sample = divmod(number, count)

        def write(f: Any, cell: int = cell, sample: int = sample) -> list[Any]:
            at = line(f, *case)
            found = at.sample(int_(cell), int_(sample))
            return [found[0], found[1], found[2].v, found[3], at.count, *at.near(int_(cell))]

        got = [one.item() for one in run(write)]
        assert got[4] == count
        assert got[3] == inside[number]
        if got[3]:
            assert got[:2] == [low[number], high[number]]
            assert got[2] == pytest.approx(weight[number])
            assert got[5] <= sample < got[6] <= count


def test_numbers_that_are_no_place_become_integers() -> None:
    x = np.array([np.nan, 1e300, -1e300, -2.9])
    for lane, number in enumerate((-(2**40), 2**40, -(2**40), -2)):
        got = formula(lambda v, n=lane: Lanes(v.f, whole(Lanes(v.f, v.f.extract(v.v, n)))), x)
        assert got == number
