"""Products of few rows with weights of 24 bits against float64 numpy, on guarded memory."""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import short_ir
from sardonyx.kernels.scratch import product_bytes
from sardonyx.kernels.short.choose import TWO_STREAMS, most_rows, rounded
from sardonyx.kernels.short.driver import define_short
from sardonyx.kernels.short.pack import pack_short
from sardonyx.kernels.short.walk import define_short_block
from sardonyx.llvm.vec import Module
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.native import KERNEL, Array, execute, finish_words, guarded, strides
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.kernels.traced import FETCHES, Trace
from tests.unit.objects import assembled, compiled, contractions, loaded

BESIDE = isa.with_features(isa.V4, [TWO_STREAMS])
HERE = [*runnable_targets(), *([BESIDE] if targets.detect().has(TWO_STREAMS) else [])]


def name_of(target: Target) -> str:
    return f"{target.name}{' side by side' if target.has(TWO_STREAMS) else ''}"


TARGETS = pytest.mark.parametrize("target", HERE, ids=name_of)
SIZES = ((1, 1), (5, 16), (16, 17), (33, 70), (129, 200), (1024, 96), (20000, 40))


@cache
def image(target: Target) -> LoadedImage:
    goal = Goal(target)
    return loaded([*contractions(goal), compiled(short_ir(goal), target)], target)


class Drawn:
    """One product with its arrays; `run` gives the result, which must leave the rest of C alone."""

    def __init__(self, m: int, k: int, n: int) -> None:
        rng = np.random.default_rng((m, k, n))
        self.a = guarded(rng.standard_normal((m, k)).astype(np.float32))
        self.w = rng.standard_normal((k, n)).astype(np.float32)
        self.bias = guarded(rng.standard_normal(n).astype(np.float32))
        self.residual = guarded(rng.standard_normal((m, n + 5)).astype(np.float32))

    def exact(self) -> Array:
        short = rounded(self.w.view(np.uint32)).view(np.float32)
        sums = self.a.astype(np.float64) @ short.astype(np.float64)
        return sums + self.bias + self.residual[:, : self.w.shape[1]]

    def run(self, target: Target, threads: int = 1, many: int = 0) -> Array:
        (m, k), n = self.a.shape, self.w.shape[1]
        short = guarded(pack_short(self.w, Goal(target)), align=64)
        c = guarded(np.full((m + 1, n + 3), np.nan, np.float32))
        words = {
            Gemm.A: self.a.ctypes.data,
            Gemm.C: c.ctypes.data,
            Gemm.BATCH0: 1,
            Gemm.BATCH1: 1,
            Gemm.M: m,
            Gemm.N: n,
            Gemm.K: k,
            Gemm.A_M: strides(self.a)[0],
            Gemm.A_K: 1,
            Gemm.C_M: strides(c)[0],
            Gemm.L2_BYTES: target.l2_bytes,
            Gemm.SHORT: short.ctypes.data,
            Gemm.MANY: many,
            **finish_words(Gemm, "float32"),
            Gemm.BIAS: self.bias.ctypes.data,
            Gemm.RESIDUAL: self.residual.ctypes.data,
            Gemm.R_M: strides(self.residual)[0],
        }
        args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        scratch = guarded(np.zeros(product_bytes(target), np.uint8), align=64)
        execute(image(target).address("sdx_gemm_short_f32"), args, scratch, threads)
        assert np.isnan(c[m:]).all(), "rows beyond C were written"
        assert np.isnan(c[:, n:]).all(), "columns beyond C were written"
        return c[:m, :n].copy()


@TARGETS
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_number_of_rows_and_tail(target: Target, threads: int) -> None:
    for m in range(1, most_rows(Goal(target)) + 1):
        for k, n in SIZES:
            drawn = Drawn(m, k, n)
            exact = drawn.exact()
            assert_close(drawn.run(target, threads), exact.astype(np.float32), k)


@TARGETS
def test_no_rows(target: Target) -> None:
    assert Drawn(0, 16, 40).run(target, 2).shape == (0, 40)


@TARGETS
def test_threads_do_not_change_bits(target: Target) -> None:
    whole = Drawn(2, 500, 300).run(target)
    for threads in (2, 3, 7):
        assert np.array_equal(Drawn(2, 500, 300).run(target, threads), whole)


@TARGETS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(target: Target, value: float) -> None:
    drawn = Drawn(2, 64, 70)
    drawn.a[1, 5] = value
    with np.errstate(invalid="ignore"):
        exact = drawn.exact().astype(np.float32)
    got = drawn.run(target)
    assert np.array_equal(got[1], exact[1], equal_nan=True)
    assert np.isfinite(got[0]).all()


@TARGETS
def test_more_rows_are_left_to_another_kernel_on_every_thread(target: Target) -> None:
    asked: list[tuple[int, int]] = []

    @KERNEL
    def many(args: int, context: int) -> None:
        rows = ctypes.c_int64.from_address(args + 8 * Gemm.M).value
        asked.append((rows, context))

    address = ctypes.cast(many, ctypes.c_void_p).value or 0
    for m in (most_rows(Goal(target)) + 1, 100):
        asked.clear()
        assert np.isnan(Drawn(m, 32, 40).run(target, 2, address)).all()
        assert [rows for rows, _ in asked] == [m, m]
        assert len({context for _, context in asked}) == 2


@pytest.mark.skipif(BESIDE not in HERE, reason="this machine reads one stretch of memory at a time")
def test_what_is_asked_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, BESIDE, FETCHES[0], define_short)
    monkeypatch.setattr(sys.modules[__name__], "image", lambda _: trace)
    for k, n in ((1, 3), (4, 33), (33, 70), (600, 100), (1025, 16)):
        for m in range(1, most_rows(Goal(BESIDE)) + 1):
            Drawn(m, k, n).run(BESIDE, threads=2)
    assert len(trace.fetched) > 0.5 * len(trace.lines)
    assert not trace.wasted


@pytest.mark.parametrize("target", [*isa.TARGETS, BESIDE], ids=name_of)
def test_inner_loops_keep_everything_in_registers(target: Target) -> None:
    module = Module()
    define_short(module, Goal(target))
    assert module.has(define_short_block(Module(), Goal(target)))
    assembly = assembled(module.text(), target)
    kernels = re.findall(r"^(brgemm_f32short_\w+):[^\n]*\n(.*?)^\.Lfunc_end", assembly, re.M | re.S)
    assert kernels
    for name, body in kernels:
        for loop in innermost_loops(body):
            products = sum(line.startswith("vfmadd") for line in loop)
            assert products, name
            assert not any("rsp" in line and re.search("[yz]mm", line) for line in loop), name
            assert target.has(TWO_STREAMS) or not any("prefetch" in line for line in loop), name
