"""Products by Strassen's algorithm against float64 numpy, on guarded memory; and how their code looks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import strassen_ir
from sardonyx.kernels.product import walk as product
from sardonyx.kernels.product.driver import define_gemm
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.scratch import product_bytes
from sardonyx.kernels.strassen.blocking import blocking, twice_blocking
from sardonyx.kernels.strassen.call import NEVER
from sardonyx.kernels.strassen.combine import define_combine
from sardonyx.kernels.strassen.driver import LEAST_ROWS, LEAST_ROWS_TWICE, define_strassen
from sardonyx.kernels.strassen.fours import define_join, define_lefts_of
from sardonyx.kernels.strassen.pack import pack_sums
from sardonyx.kernels.strassen.rows import define_lefts, define_scales
from sardonyx.kernels.strassen.twice import define_twice
from sardonyx.kernels.strassen.walk import define_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import examples, runnable_targets
from tests.tolerance import difference_of_seven
from tests.unit.kernels.native import Array, Epilogue, execute, finish_words, guarded, strides, tile_view
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.kernels.traced import FETCHES, Trace
from tests.unit.objects import compiled, contractions, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
LEVELS = pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)


@dataclass(frozen=True, slots=True)
class Case:
    """Sizes of a product; `pairs`, `fours`, `steps` are at most so many at a time, 0 for the usual ones."""

    m: int
    k: int
    n: int
    pairs: int = 0
    steps: int = 0
    panels: int = 0
    least: int = 1
    least_columns: int = 1
    twice: int = NEVER
    fours: int = 0


CASES = (
    Case(2, 32, 64),
    Case(3, 32, 70),
    Case(29, 64, 128),
    Case(57, 96, 200, pairs=14),
    Case(128, 128, 192, pairs=28, steps=32, panels=1),
    Case(131, 160, 333, pairs=1, steps=16),
    Case(300, 64, 64, pairs=42),
    Case(64, 1536, 128, pairs=6, steps=256),
)
TWICE = (
    Case(4, 64, 128, twice=4),
    Case(61, 64, 130, twice=4),
    Case(118, 192, 290, twice=4, fours=7),
    Case(128, 320, 256, twice=4, steps=32, panels=1),
    Case(263, 128, 384, twice=4, fours=1, panels=2),
    Case(300, 64, 128, twice=4),
    Case(64, 1536, 128, twice=4, fours=3, steps=128),
)


def define_products(module: Module, goal: Goal) -> None:
    """The kernel, and the one to which it leaves products that it does not make."""
    define_gemm(module, goal, "f32")
    define_strassen(module, goal)


@cache
def image(target: Target) -> LoadedImage:
    goal = Goal(target)
    return loaded([*contractions(goal), compiled(strassen_ir(goal), target)], target)


class Drawn:
    """One product with its arrays; `run` gives the result, which must leave the rest of C alone."""

    def __init__(self, case: Case, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.case, self.times = case, 2 if case.m >= case.twice else 1
        self.kernels: Callable[[Target], Any] = image
        self.a = rng.standard_normal((case.m, case.k)).astype(np.float32)
        self.w = rng.standard_normal((case.k, case.n)).astype(np.float32)
        self.bias = guarded(rng.standard_normal(case.n).astype(np.float32))
        self.residual = guarded(rng.standard_normal((case.m, case.n + 5)).astype(np.float32))

    def exact(self, end: str = "store") -> Array:
        y = self.a.astype(np.float64) @ self.w.astype(np.float64)
        return y + self.bias + self.residual[:, : self.case.n] if end == "finish" else y

    def run(self, target: Target, end: str = "store", threads: int = 1) -> Array:
        case, goal = self.case, Goal(target)
        a = guarded(self.a)
        b, sums = (guarded(pack(self.w, goal), align=64) for pack in (pack_b, pack_sums))
        c = guarded(np.full((case.m + 1, case.n + 3), np.nan, np.float32))
        cut, twice = blocking(case.k // 2, case.n, goal), twice_blocking(case.k // 4, case.n, goal)
        words = {
            Gemm.A: a.ctypes.data,
            Gemm.B: b.ctypes.data,
            Gemm.C: c.ctypes.data,
            Gemm.BATCH0: 1,
            Gemm.BATCH1: 1,
            Gemm.M: case.m,
            Gemm.N: case.n,
            Gemm.K: case.k,
            Gemm.A_M: strides(a)[0],
            Gemm.A_K: 1,
            Gemm.C_M: strides(c)[0],
            Gemm.L2_BYTES: target.l2_bytes,
            Gemm.SUMS: sums.ctypes.data,
            Gemm.LEAST_ROWS: case.least,
            Gemm.PAIRS: min(case.pairs or cut.pairs, cut.pairs),
            Gemm.PANELS: min(case.panels or cut.panels, cut.panels),
            Gemm.STEPS: min(case.steps or cut.steps, cut.steps),
            Gemm.PITCH: cut.pitch,
            Gemm.LEAST_COLUMNS: case.least_columns,
            Gemm.TWICE_ROWS: case.twice,
            Gemm.TWICE_FOURS: min(case.fours or twice.fours, twice.fours),
            Gemm.TWICE_PANELS: min(case.panels or twice.panels, twice.panels),
            Gemm.TWICE_STEPS: min(case.steps or twice.steps, twice.steps),
        }

        def store(tile: int, pitch: int, _: int, coords: int, rows: int, columns: int) -> None:
            batch, m, n = np.frombuffer((ctypes.c_int64 * 3).from_address(coords), np.int64)
            assert batch == 0
            assert np.isnan(c[m : m + rows, n : n + columns]).all(), "a part of C was given twice"
            c[m : m + rows, n : n + columns] = tile_view(tile, pitch, rows, columns, "float32")

        callback = Epilogue(store)
        if end == "finish":
            words |= finish_words(Gemm, "float32")
            words |= {Gemm.BIAS: self.bias.ctypes.data, Gemm.RESIDUAL: self.residual.ctypes.data}
            words[Gemm.R_M] = strides(self.residual)[0]
        elif end == "epilogue":
            words[Gemm.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
        args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        sizes = product_bytes(target), cut.scratch_bytes, twice.scratch_bytes
        scratch = guarded(np.zeros(max(sizes), np.uint8), align=64)
        execute(self.kernels(target).address("sdx_gemm_strassen_f32"), args, scratch, threads)
        assert np.isnan(c[case.m :]).all(), "rows beyond C were written"
        assert np.isnan(c[:, case.n :]).all(), "columns beyond C were written"
        return c[: case.m, : case.n].copy()


# Every end and every number of threads once.
QUICK = {("store", 1), ("finish", 2), ("epilogue", 5)}


def check(drawn: Drawn, target: Target, end: str = "store", threads: int = 1) -> None:
    wrong = difference_of_seven(drawn.run(target, end, threads), drawn.exact(end), drawn.times)
    assert wrong is None, f"{drawn.case}: {wrong}"


@TARGETS
@pytest.mark.parametrize(
    ("end", "threads"),
    [
        pytest.param(end, threads, marks=() if (end, threads) in QUICK else pytest.mark.slow)
        for end in ("store", "finish", "epilogue")
        for threads in (1, 2, 5)
    ],
)
def test_products(target: Target, end: str, threads: int) -> None:
    for case in (*CASES, *TWICE):
        check(Drawn(case), target, end, threads)


@TARGETS
@settings(max_examples=examples(15, 40), deadline=None, derandomize=True)
@given(st.data())
def test_drawn_products(target: Target, data: st.DataObject) -> None:
    shape = TileShape.of(Goal(target), "f32")
    lanes, columns = shape.lanes, shape.columns
    m, n = data.draw(st.integers(1, 150), "m"), data.draw(st.integers(64, 300), "n")
    vectors, steps = (data.draw(st.integers(1, 6), name) for name in ("vectors", "steps"))
    pairs, panels = data.draw(st.integers(1, 28), "pairs"), data.draw(st.integers(1, 4), "panels")
    twice = data.draw(st.sampled_from([4, NEVER]), "twice") if n >= 4 * columns else NEVER
    vectors *= 2 if twice == 4 else 1
    case = Case(m, 2 * lanes * vectors, n, pairs, lanes * steps, panels, twice=twice, fours=-(-pairs // 2))
    end = data.draw(st.sampled_from(["store", "finish", "epilogue"]), "end")
    check(Drawn(case), target, end, data.draw(st.integers(1, 3), "threads"))


@TARGETS
def test_few_rows_and_none_are_multiplied_as_they_are(target: Target) -> None:
    for m in (0, 1, 5):
        case = Case(m, 64, 130, least=6)
        check(Drawn(case), target, threads=2)
    seven, direct = (Drawn(Case(6, 64, 130, least=least)).run(target) for least in (6, 7))
    assert not np.array_equal(seven, direct)


@TARGETS
def test_few_columns_a_thread_are_multiplied_as_they_are(target: Target) -> None:
    """Unless there are rows for every thread."""
    for m, threads, is_direct in ((40, 2, False), (40, 4, True), (4 * LEAST_ROWS, 4, False)):
        seven, asked = (
            Drawn(Case(m, 64, 256, least_columns=n)).run(target, threads=threads) for n in (1, 100)
        )
        assert np.array_equal(seven, asked) != is_direct


@TARGETS
def test_several_threads_need_twice_the_rows(target: Target) -> None:
    """They share the rate of memory, from which sums come too."""
    direct = Drawn(Case(40, 64, 256, least=41)).run(target)
    for threads, least, is_direct in ((1, 40, False), (2, 21, True), (3, 21, True), (2, 20, False)):
        got = Drawn(Case(40, 64, 256, least=least, least_columns=1)).run(target, threads=threads)
        assert np.array_equal(got, direct) == is_direct


@TARGETS
def test_threads_do_not_change_bits(target: Target) -> None:
    for case in (
        CASES[4],
        Case(4 * LEAST_ROWS, 64, 200),
        TWICE[2],
        Case(3 * LEAST_ROWS_TWICE, 64, 200, twice=4),
    ):
        whole = Drawn(case).run(target)
        for threads in (2, 3, 7):
            assert np.array_equal(Drawn(case).run(target, threads=threads), whole)


@TARGETS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_not_finite_stays_in_its_row(target: Target, value: float, threads: int) -> None:
    for case in (Case(61, 64, 150), Case(200, 96, 128), Case(200, 64, 130, twice=4)):
        drawn = Drawn(case)
        drawn.a[[0, 33, 60], [3, 63, 40]] = value
        with np.errstate(invalid="ignore"):
            exact = drawn.exact()
        got = drawn.run(target, threads=threads)
        sound = np.isfinite(drawn.a).all(1)
        assert difference_of_seven(got[sound], exact[sound], drawn.times) is None
        assert np.array_equal(got[~sound], exact[~sound].astype(np.float32), equal_nan=True)


@TARGETS
@pytest.mark.parametrize("twice", [4, NEVER])
def test_a_large_row_leaves_its_partner_exact(target: Target, twice: int) -> None:
    for size in (1e4, 1e30, 3e38, 1e-30, 1e-41):
        drawn = Drawn(Case(40, 64, 128, twice=twice))
        drawn.w *= np.float32(0.01)
        drawn.a[11] *= np.float32(size / np.abs(drawn.a[11]).max())
        got, exact = drawn.run(target), drawn.exact()
        others = np.arange(40) != 11
        assert difference_of_seven(got[others], exact[others], drawn.times) is None, size
        if size >= 1e-30:
            assert difference_of_seven(got, exact, drawn.times) is None, size


@TARGETS
def test_a_row_of_one_number_is_as_exact_beside_a_full_one(target: Target) -> None:
    drawn = Drawn(Case(40, 4096, 128))
    drawn.a[::2] = 0
    drawn.a[::2, 17] = 1
    exact = drawn.exact()
    errors = np.sqrt(np.square(drawn.run(target) - exact).mean(1) / np.square(exact).mean(1))
    assert errors.max() < 5e-6, "rows are scaled by their norms, not by their largest numbers"


@TARGETS
@pytest.mark.parametrize("twice", [4, NEVER])
def test_rows_of_zeros_give_zeros(target: Target, twice: int) -> None:
    drawn = Drawn(Case(41, 64, 128, twice=twice))
    drawn.a[[6, 17, 20, 21, 40]] = 0
    got = drawn.run(target)
    assert not got[[6, 17, 20, 21, 40]].any()
    assert got[7].all()


@TARGETS
def test_nothing_is_prefetched_that_is_not_read(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, target, FETCHES[0], define_products)
    for case in (*CASES[:6], *TWICE[:5]):
        for threads in (1, 2):
            drawn = Drawn(case)
            drawn.kernels = lambda _: trace
            drawn.run(target, threads=threads)
    assert trace.fetched
    assert not trace.wasted


@TARGETS
def test_what_is_read_is_prefetched(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, target, FETCHES[1], define_products)
    drawn = Drawn(Case(56, 256, 256))
    drawn.kernels = lambda _: trace
    drawn.run(target)
    assert len(trace.fetched) > 0.8 * len(trace.lines)


@LEVELS
@pytest.mark.parametrize(
    "define", [define_scales, define_lefts, define_lefts_of, define_join, define_combine]
)
def test_inner_loops_keep_everything_in_registers(target: Target, define: Any) -> None:
    module = Module()
    name = define(module, TileShape.of(Goal(target), "f32"))
    loops = [
        loop
        for loop in innermost_loops(engine.assembly(module.part(name), target))
        if any("ps" in line or "pmax" in line for line in loop)
    ]
    assert loops
    for loop in loops:
        spilled = [line for line in loop if "(%rsp)" in line]
        if define is define_lefts_of:
            spilled = [line for line in spilled if "mm" in line]
            assert len(loop) <= 56, "of 16 quarters of rows and 7 operands some addresses are in memory"
        assert not spilled, f"{name} spills in its inner loop"


@LEVELS
def test_the_driver_calls_all_blocks(target: Target) -> None:
    goal, module, alone = Goal(target), Module(), Module()
    define_strassen(module, goal)
    shape = TileShape.of(goal, "f32")
    direct = product.define_block(alone, goal, shape, product.PACKED)
    driver = module.part("sdx_gemm_strassen_f32")
    assert f"call void @{direct}(" in driver
    for define in (define_block, define_twice):
        walk = define(alone, shape, direct)
        assert f"@{walk}" in driver
        assert module.part(walk) == alone.part(walk)


@LEVELS
def test_the_text_depends_on_the_level_alone(target: Target) -> None:
    text = strassen_ir(Goal(target))
    strassen_ir.cache_clear()
    assert strassen_ir(Goal(replace(target, l2_bytes=1 << 18))) == text
