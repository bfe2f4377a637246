"""Angles are reduced with as many digits of pi as they need: judged by rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sardonyx.llvm.angle import modulo_half_pi
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.mathfn import table
from tests.unit.llvm.written import run


def half_pi(bits: int) -> Fraction:
    """pi / 2 to so many bits, by Machin's formula."""
    one = 1 << (bits + 32)

    def arctan(n: int) -> int:
        total = term = one // n
        square, k = n * n, 1
        while term:
            term //= -square
            k += 2
            total += term // k
        return total

    return Fraction(4 * (4 * arctan(5) - arctan(239)), 2 * one)


HALF_PI = half_pi(1300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rest_and_quarter_turns(dtype: Any) -> None:
    largest = 127 if dtype is np.float32 else 1023
    exponents = [-20, -1, 0, 1, 5, 9, 10, 11, 17, 30, 52, 53, 60, 100, largest - 1, largest]
    for sign, m in ((1, 1.375), (-1, 1.5), (1, 1.9990234375)):
        x = np.array([sign * math.ldexp(m, e) for e in exponents], dtype)

        def write(f: Any, v: Any) -> Any:
            lanes = Lanes(f, v)
            r, n = modulo_half_pi(lanes, table(lanes))
            return [r.v, n.v]

        rest, quarters = run(write, x)
        for angle, r, n in zip(x.tolist(), rest.tolist(), quarters.tolist(), strict=True):
            whole = round(Fraction(angle) / HALF_PI)
            exact = Fraction(angle) - whole * HALF_PI
            assert (int(n) - whole) % 4 == 0, angle
            error = abs(Fraction(r) - exact)
            assert error <= Fraction(float(np.spacing(dtype(1)))) * max(abs(exact), Fraction(1, 2**10)), angle


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_no_angle_has_no_rest(dtype: Any) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1], dtype)

    def write(f: Any, v: Any) -> Any:
        return [modulo_half_pi(Lanes(f, v), table(Lanes(f, v)))[0].v]

    assert np.isnan(run(write, x)[0]).tolist() == [True, True, True, False]
