"""Stockham's stages of every power of two transform as the definition of the sum does."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.numeric.fft_stages import Complex, define_stages, write_table
from sardonyx.llvm.vec import Function, Module, V
from tests.runnable import runnable_targets
from tests.unit.objects import compiled_alone, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


@TARGETS
def test_powers_of_two(target: Target) -> None:
    module = Module()
    name = define_stages(module, "t", target)
    f = Function(module, "whole", [(p, "ptr") for p in ("a", "b", "table", "where")] + [("size", "i64")])
    a, b, table, where, size = f.params
    half = f.binary("lshr", size, V("1", "i64"))
    write_table(f, target, Complex(f, table, half), half, size)
    f.store(f.value("ptr", f"call ptr @{name}({a}, {b}, {table}, {size})"), where)
    f.ret()
    f.finish()
    image = loaded([compiled_alone(module.text(), target)], target)
    whole = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64)(image.address("whole"))
    for n in (1, 2, 4, 8, 16, 64, 256):
        given = np.random.default_rng(n).standard_normal((2, n))
        x, other, roots = given.copy(), np.zeros((2, n)), np.zeros((2, max(n // 2, 1)))
        at = np.zeros(1, np.int64)
        whole(x.ctypes.data, other.ctypes.data, roots.ctypes.data, at.ctypes.data, n)
        assert at[0] in (x.ctypes.data, other.ctypes.data)
        got = x if at[0] == x.ctypes.data else other
        k = np.arange(n)
        expected = np.exp(-2j * np.pi * np.outer(k, k) / n) @ (given[0] + 1j * given[1])
        np.testing.assert_allclose(got[0] + 1j * got[1], expected, atol=1e-12 * n)
