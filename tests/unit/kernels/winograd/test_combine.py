"""Small products with constant matrices: right, and with as few instructions as they share work."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sardonyx.kernels.winograd.combine import combined, combined_at, divided
from sardonyx.kernels.winograd.cook_toom import Matrix, transforms, whole_transforms
from sardonyx.llvm.vec import Function, Module, V
from tests.tolerance import assert_close
from tests.unit.llvm.written import run

F4, F2, ROW = transforms(4, 3), transforms(2, 3), transforms(4, 5)
MATRICES = {
    "data 4": (F4.data, 14),
    "result 4": (F4.result, 12),
    "data 2": (F2.data, 4),
    "result 2": (F2.result, 6),
    "data 4, 5": (ROW.data, 26),
    "result 4, 5": (ROW.result, 20),
    "half of data 4": (F4.data[:3], 7),
    "even rows of result 4": (F4.result[::2], 6),
    "odd rows of result 4": (F4.result[1::2], 7),
    "no pairs": (((Fraction(2), Fraction(0), Fraction(-3)), (Fraction(0), Fraction(-1), Fraction(0))), 3),
}


@pytest.mark.parametrize("name", MATRICES)
def test_products_are_those_of_the_matrix(name: str, rng: np.random.Generator) -> None:
    matrix, _ = MATRICES[name]
    x = rng.standard_normal((len(matrix[0]), 8)).astype(np.float32)
    exact = np.array([[float(e) for e in row] for row in matrix]) @ x.astype(np.float64)
    got = np.array(run(lambda f, *v: combined(f, matrix, v), *x))
    assert_close(got, exact.astype(np.float32), length=len(matrix[0]))


def test_only_what_a_row_needs_is_read(rng: np.random.Generator) -> None:
    x = rng.standard_normal((6, 8)).astype(np.float32)
    rows, read = F4.data[:3], list[int]()

    def half(f: Function, *values: V) -> list[V]:
        def of(address: V) -> V:
            read.append(values.index(address))
            return address

        return combined_at(f, rows, values, of)

    got = np.array(run(half, *x))
    assert read == [0, 1, 2, 3, 4]
    assert_close(got, (np.array(rows, np.float64) @ x).astype(np.float32), length=6)


@pytest.mark.parametrize("name", MATRICES)
def test_instructions(name: str) -> None:
    matrix, most = MATRICES[name]
    assert arithmetic(matrix) <= most


def arithmetic(matrix: Matrix) -> int:
    """Instructions on numbers that the product is written with."""
    module = Module()
    vectors = [(f"v{n}", "<8 x float>") for n in range(len(matrix[0]))]
    f = Function(module, "f", vectors)
    combined(f, matrix, [V(f"%{name}", type_) for name, type_ in vectors])
    f.ret()
    f.finish()
    operations = (" fadd ", " fsub ", " fmul ", " call ")
    return sum(" = " in line and any(op in line for op in operations) for line in module.text().splitlines())


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("of", ["data", "result"])
def test_integers_wrap_around(dtype: type, outputs: int, of: str, rng: np.random.Generator) -> None:
    matrix = np.array(getattr(whole_transforms(outputs, 3), of), np.int64)
    bounds = np.iinfo(dtype)
    x = rng.integers(bounds.min, bounds.max, (matrix.shape[1], 8), dtype, endpoint=True)
    got = run(lambda f, *v: combined(f, getattr(whole_transforms(outputs, 3), of), v), *x)
    assert np.array_equal(np.array(got), (matrix @ x.astype(np.int64)).astype(dtype))


@pytest.mark.parametrize("divisor", [1, 2, 4, 9, 576])
def test_multiples_of_numbers_are_divided_though_they_wrapped(divisor: int, rng: np.random.Generator) -> None:
    most = (1 << 31) // (divisor & -divisor)
    numbers = np.array([-most, most - 1, 0, 1, -1, *rng.integers(-most, most, 3)])
    (got,) = run(lambda f, v: [divided(f, v, divisor)], (numbers * divisor).astype(np.int32))
    assert np.array_equal(got, numbers)
