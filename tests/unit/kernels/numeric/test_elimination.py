"""Steps of elimination bring the largest element up and clear a column, exactly where numbers are exact."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.numeric.elimination import Matrix
from sardonyx.llvm.vec import Function, Module, int_
from tests.runnable import runnable_targets
from tests.unit.kernels.native import guarded
from tests.unit.objects import compiled_alone, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def done(matrix: Any, target: Target, step: Callable[[Function, Matrix], Any]) -> tuple[Any, float]:
    """The matrix, and the number that the step gives."""
    module = Module()
    f = Function(module, "step", [("matrix", "ptr"), ("result", "ptr")])
    rows, columns = matrix.shape
    result = step(f, Matrix(f, f.params[0], int_(rows), int_(columns), target.lanes))
    if result is not None:
        f.store(result, f.params[1])
    f.ret()
    f.finish()
    image = loaded([compiled_alone(module.text(), target)], target)
    gaps = ((0, 0), (0, target.lanes))
    made = guarded(np.pad(np.asarray(matrix, float), gaps, constant_values=np.nan))
    number = np.zeros(1)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(image.address("step"))(
        made.ctypes.data, number.ctypes.data
    )
    return made[:, :columns], float(number[0])


@TARGETS
@pytest.mark.parametrize("columns", [3, 8, 19])
def test_the_largest_element_comes_up(target: Target, columns: int) -> None:
    x = np.arange(3.0 * columns).reshape(3, columns)
    x[:, 0] = [1, -9, 2]
    got, pivot = done(x, target, lambda f, m: m.exchange(int_(0)))
    assert pivot == 9, "the sign turns with the rows"
    np.testing.assert_array_equal(got, x[[1, 0, 2]])
    x[:, 0] = [-9, 1, 2]
    got, pivot = done(x, target, lambda f, m: m.exchange(int_(0)))
    assert pivot == -9
    np.testing.assert_array_equal(got, x)
    got, pivot = done(x, target, lambda f, m: m.exchange(int_(2)))
    assert pivot == x[2, 2]


@TARGETS
@pytest.mark.parametrize("columns", [3, 8, 19])
def test_a_column_is_cleared(target: Target, columns: int) -> None:
    x = np.random.default_rng(1).integers(-8, 9, (4, columns)).astype(float)
    x[1, 1] = 2
    got, _ = done(x, target, lambda f, m: m.eliminate(int_(1), int_(2), int_(4)))
    expected = x.copy()
    expected[2:, 2:] -= x[2:, 1:2] / 2 * x[1:2, 2:]
    np.testing.assert_array_equal(got[:2], x[:2])
    np.testing.assert_array_equal(got[:, 2:], expected[:, 2:])


@TARGETS
def test_a_pivot_of_zero_is_told(target: Target) -> None:
    for value, regular in ((0.0, 0), (1e-300, 1), (np.nan, 1)):
        x = np.full((2, 2), value)
        _, number = done(x, target, lambda f, m: f.convert("uitofp", m.is_regular(int_(1)), "double"))
        assert number == regular
