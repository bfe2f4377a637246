"""Products with short sums against float64 numpy, on guarded memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import shallow_ir
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.scratch import product_bytes
from sardonyx.kernels.shallow.call import MOST_STEPS
from sardonyx.kernels.shallow.driver import define_shallow
from sardonyx.kernels.shallow.rows import Rows, define_rows
from sardonyx.kernels.shallow.walk import define_shallow_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.runtime.image import LoadedImage
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.native import Array, bits, execute, finish_words, guarded, strides
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.objects import assembled, compiled, contractions, loaded

pytestmark = pytest.mark.slow
TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda target: target.name)
SIZES = (
    (1, 1, 1),
    (5, 2, 7),
    (33, 3, 16),
    (70, 7, 33),
    (3, 12, 32),
    (66, 13, 40),
    (40, 16, 300),
    (31, 9, 17),
)
HELD = {"x86_64-v4": (16, 11), "x86_64-v3": (9, 3)}
"""The most steps whose weights stay in registers, of one vector and of two."""


@cache
def image(target: Target, steps: int) -> LoadedImage:
    goal = Goal(target)
    return loaded([*contractions(goal), compiled(shallow_ir(steps, goal), target)], target)


class Drawn:
    """One product with its arrays, of which B may lie turned; rows are apart from each other."""

    def __init__(self, m: int, k: int, n: int, *, batch: int = 1, turned: bool = False) -> None:
        rng = np.random.default_rng((m, k, n))
        self.a = guarded(rng.standard_normal((batch, m, k + 1)).astype(np.float32))[..., 1:]
        self.w = rng.standard_normal((batch, k, n)).astype(np.float32)
        self.fed = guarded(self.w.swapaxes(1, 2).copy()).swapaxes(1, 2) if turned else guarded(self.w)
        self.bias = guarded(rng.standard_normal(n).astype(np.float32))
        self.residual = guarded(rng.standard_normal((batch, m, n + 5)).astype(np.float32))

    def exact(self, *, finish: bool) -> Array:
        sums = self.a.astype(np.float64) @ self.w
        return np.maximum(sums + self.bias + self.residual[..., : sums.shape[-1]], -1) if finish else sums

    def run(self, target: Target, *, fed: bool = False, finish: bool = False, threads: int = 1) -> Array:
        (batch, m, k), n = self.a.shape, self.w.shape[2]
        b = self.fed if fed else guarded(pack_b(self.w, Goal(target)), align=64)
        c = guarded(np.full((batch, m + 1, n + 3), np.nan, np.float32))
        words: dict[Any, int] = {Gemm.A: self.a.ctypes.data, Gemm.B: b.ctypes.data, Gemm.C: c.ctypes.data}
        words |= {Gemm.BATCH0: 1, Gemm.BATCH1: batch, Gemm.M: m, Gemm.N: n, Gemm.K: k, Gemm.A_K: 1}
        for name, array in (("A", self.a), ("B", b), ("C", c)):
            words[Gemm[f"{name}_BATCH1"]] = strides(array)[0]
        words |= {Gemm.A_M: strides(self.a)[1], Gemm.C_M: strides(c)[1], Gemm.L2_BYTES: target.l2_bytes}
        if fed:
            words |= {Gemm.B_K: strides(b)[1], Gemm.B_N: strides(b)[2]}
        if finish:
            words |= {**finish_words(Gemm, "float32"), Gemm.LOW: bits(-1, "float32")}
            words |= {Gemm.BIAS: self.bias.ctypes.data, Gemm.RESIDUAL: self.residual.ctypes.data}
            words |= {Gemm.R_BATCH1: strides(self.residual)[0], Gemm.R_M: strides(self.residual)[1]}
        args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        scratch = guarded(np.zeros(product_bytes(target), np.uint8), align=64)
        symbol = f"sdx_gemm_shallow{k}_{'dynamic_' if fed else ''}f32"
        execute(image(target, k).address(symbol), args, scratch, threads)
        assert np.isnan(c[:, m:]).all(), "rows beyond C were written"
        assert np.isnan(c[..., n:]).all(), "columns beyond C were written"
        return c[:, :m, :n].copy()


def check(drawn: Drawn, target: Target, *, finish: bool = False, **how: Any) -> None:
    exact = drawn.exact(finish=finish).astype(np.float32)
    assert_close(drawn.run(target, finish=finish, **how), exact, drawn.w.shape[1])


@TARGETS
@pytest.mark.parametrize("fed", [False, True])
def test_rows_steps_and_columns(target: Target, fed: bool) -> None:
    for number, size in enumerate(SIZES):
        check(Drawn(*size, turned=number % 2 == 1), target, fed=fed, finish=number % 3 > 0)


@TARGETS
@pytest.mark.parametrize("fed", [False, True])
def test_each_number_of_steps(target: Target, fed: bool) -> None:
    for k in range(1, MOST_STEPS + 1):
        for n in (1, 8, 15, 16, 17, 24, 32, 40):
            for finish in (False, True):
                check(Drawn(37, k, n), target, fed=fed, finish=finish)


@TARGETS
@pytest.mark.parametrize("threads", [2, 5])
def test_threads_share_rows_panels_and_batches(target: Target, threads: int) -> None:
    for size, batch in (((200, 5, 20), 1), ((9, 4, 90), 1), ((12, 3, 3), 4)):
        drawn = Drawn(*size, batch=batch)
        for fed in (False, True):
            assert np.array_equal(drawn.run(target, fed=fed, threads=threads), drawn.run(target, fed=fed))
            check(drawn, target, fed=fed, threads=threads)


@TARGETS
@pytest.mark.parametrize("size", [(0, 3, 4), (4, 3, 0)])
def test_nothing(target: Target, size: tuple[int, int, int]) -> None:
    assert Drawn(*size).run(target).size == 0


@TARGETS
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_row(target: Target, value: float) -> None:
    drawn = Drawn(40, 6, 21)
    drawn.a[0, 5, 3] = value
    got = drawn.run(target, finish=True)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(got[0, 5], drawn.exact(finish=True)[0, 5].astype(np.float32), equal_nan=True)
    assert np.isfinite(np.delete(got[0], 5, 0)).all()


@TARGETS
def test_weights_stay_in_registers(target: Target) -> None:
    shape = TileShape.of(Goal(target), "f32")
    for vectors, most in zip((1, 2), HELD[target.name], strict=True):
        assert Rows(shape, most, vectors).holds
        assert not Rows(shape, 2 * most, vectors).holds
        module = Module()
        define_rows(module, Rows(shape, most, vectors))
        for loop in innermost_loops(assembled(module.text(), target)):
            assert not any("rsp" in line for line in loop), "nothing is spilled"


def test_a_module_has_both_kinds_of_weights() -> None:
    (target, *_) = runnable_targets()
    module, goal = Module(), Goal(target)
    define_shallow(module, goal, 3)
    assert module.has("sdx_gemm_shallow3_f32")
    assert module.has("sdx_gemm_shallow3_dynamic_f32")
    assert module.has(define_shallow_block(Module(), goal, TileShape.of(goal, "f32"), 3, made=False))
