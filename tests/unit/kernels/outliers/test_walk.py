"""Products of bytes with any weights are exact, whatever the numbers, on guarded memory."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.outliers.pack import column_totals, pack_unsigned
from sardonyx.kernels.outliers.walk import define_outliers
from sardonyx.kernels.scratch import product_bytes
from sardonyx.llvm.vec import Module
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import is_for_others
from tests.unit.kernels.native import execute, guarded, strides
from tests.unit.kernels.outliers.numbers import KINDS, numbers
from tests.unit.objects import compiled, contractions, loaded

TARGET = isa.V3
GOAL = Goal(TARGET)
SYMBOL = "sdx_gemm_outliers_i8pairs"


@cache
def library() -> LoadedImage:
    module = Module()
    define_outliers(module, GOAL)
    own = compiled(module.part("outliers"), TARGET, quick=is_for_others(TARGET))
    return loaded([*contractions(GOAL, "i8pairs"), own], TARGET)


def check(rng: np.random.Generator, kind: str, m: int, n: int, steps: int, *, threads: int = 1) -> None:
    k, batch = 4 * steps, int(rng.integers(1, 3))
    row = k + int(rng.integers(0, 9))
    wide = np.zeros((batch * m, row), np.uint8)
    wide[:, :k] = numbers(rng, kind, batch * m, k)
    a = guarded(wide.reshape(-1)[: max(0, batch * m * row - (row - k))])
    drawn = rng.integers(0, 2, (k, n)) * 255 - 128 if rng.integers(2) else rng.integers(-128, 128, (k, n))
    b = drawn.astype(np.int8)
    packed, totals = (guarded(pack(b, GOAL), align=64) for pack in (pack_unsigned, column_totals))
    whole = guarded(np.full((batch, m + 1, n + 3), 77, np.int32))
    c = whole[:, :m, :n]
    words = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    given = {Gemm.A: a.ctypes.data, Gemm.B: packed.ctypes.data, Gemm.SCALES: totals.ctypes.data}
    given |= {Gemm.C: c.ctypes.data, Gemm.BATCH0: 1, Gemm.BATCH1: batch, Gemm.A_BATCH1: m * row}
    given |= {Gemm.M: m, Gemm.N: n, Gemm.K: steps, Gemm.A_M: row, Gemm.A_K: 1}
    given |= {Gemm.C_BATCH1: strides(c)[0], Gemm.C_M: strides(c)[1], Gemm.L2_BYTES: TARGET.l2_bytes}
    for word, value in given.items():
        words[word] = value
    scratch = guarded(np.zeros(product_bytes(TARGET), np.uint8), align=64)
    execute(library().address(SYMBOL), words, scratch, threads)
    exact = wide.reshape(batch, m, row)[..., :k].astype(np.float64) @ b.astype(np.float64)
    assert np.array_equal(c, exact.astype(np.int64).astype(np.int32))
    assert (whole[:, m:] == 77).all()
    assert (whole[..., n:] == 77).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_exact_whatever_numbers_and_weights(kind: str, rng: np.random.Generator) -> None:
    for m, n, k in ((1, 1, 1), (4, 8, 16), (5, 9, 9), (6, 16, 125), (13, 17, 64), (33, 40, 35)):
        check(rng, kind, m, n, k, threads=1 + m % 3)
    check(rng, kind, *(int(rng.integers(1, most)) for most in (70, 140, 225)), threads=2)


def test_the_longest_sums_and_empty_ones(rng: np.random.Generator) -> None:
    for kind in ("around", "ends"):
        check(rng, kind, 12, 20, 1 << 12)
    for m, n, k in ((0, 5, 5), (5, 0, 5), (5, 40, 0)):
        check(rng, "every", m, n, k)
