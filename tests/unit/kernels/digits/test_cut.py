"""Vectors of floats become bytes side by side, and the largest of each vector is found for all at once."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.digits.cut import Cut, largest_of_each
from sardonyx.kernels.digits.numbers import LARGEST
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, float_
from tests.unit.kernels.digits.reference import digits
from tests.unit.llvm.written import run

FLOATS = vector_of("float", 16)


def test_digits_are_those_of_numpy(rng: np.random.Generator) -> None:
    x = rng.integers(-LARGEST, LARGEST, (4, 16), endpoint=True).astype(np.float32)
    x[0, :3] = LARGEST, -LARGEST, 0

    def write(f: Function, *rows: V) -> list[V]:
        return Cut(f, careful=False).planes(rows, float_(1.0, FLOATS))

    got = np.stack([plane.view(np.int8).reshape(16, 4) for plane in run(write, *x)])
    assert np.array_equal(got.transpose(0, 2, 1), digits(x.astype(np.int32)))


@pytest.mark.parametrize("largest", [0.0, 1e-45, 1e-30, 1.0, 7.3, 3.4e38])
def test_factors_make_three_digits_of_all(largest: float) -> None:
    most = np.full(16, largest, np.float32)

    def write(f: Function, x: V) -> list[V]:
        return list(Cut(f, careful=False).factors(f.bitcast(x, vector_of("i32", 16))))

    factor, scale = run(write, most)
    assert np.isfinite(factor).all()
    assert np.isfinite(scale).all()
    assert (np.rint(most * factor) <= LARGEST + 1).all()
    assert np.allclose(factor.astype(np.float64) * scale, 65536, rtol=1e-7)


def test_the_largest_of_each_stays_in_order(rng: np.random.Generator) -> None:
    rows = rng.integers(0, 1 << 30, (16, 16), dtype=np.int32)

    def write(f: Function, *x: V) -> list[V]:
        return [largest_of_each(f, x)]

    (got,) = run(write, *rows)
    assert np.array_equal(got, rows.max(1))
