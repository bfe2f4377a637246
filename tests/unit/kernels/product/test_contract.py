"""Matrix products against float64 numpy, on guarded memory; and what the generated code looks like."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Prefetch, Target
from sardonyx.base.tile import RegisterTile
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import library_ir
from sardonyx.kernels.product.driver import define_gemm
from sardonyx.kernels.product.pack import pack_b
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.native import (
    SUFFIXES,
    Array,
    Epilogue,
    finish_words,
    guarded,
    run,
    strides,
    tile_view,
)
from tests.unit.kernels.traced import BESIDE, FETCHES, Trace
from tests.unit.objects import assembled

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
DTYPES = pytest.mark.parametrize("dtype", sorted(SUFFIXES))
LARGE = 28
"""Sums of a tile whose unrolled steps leave little room for anything but products."""
B_KINDS = pytest.mark.parametrize("b_kind", ["packed", "rows", "columns"])


def words_of(
    a: Array, b: Array, c: Array, target: Target, b_kind: str
) -> tuple[str, dict[int, int], list[Array]]:
    """The kernel, its argument words for c = a @ b (4-D with broadcast batches), and what must stay alive."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    if b_kind == "packed":
        operand = pack_b(np.ascontiguousarray(b), Goal(target))
        operand = guarded(operand, align=64)
        b_strides = (*(0 if s == 1 else t for s, t in zip(b.shape, strides(operand), strict=False)), 0, 0)[:4]
    else:
        operand = (
            guarded(b)
            if b_kind == "rows"
            else guarded(np.ascontiguousarray(b.swapaxes(-1, -2))).swapaxes(-1, -2)
        )
        b_strides = tuple(
            0 if s == 1 and i < 2 else t
            for i, (s, t) in enumerate(zip(b.shape, strides(operand), strict=True))
        )
    a_strides = tuple(
        0 if s == 1 and i < 2 else t for i, (s, t) in enumerate(zip(a.shape, strides(a), strict=True))
    )
    words = {
        Gemm.A: a.ctypes.data,
        Gemm.B: operand.ctypes.data,
        Gemm.C: c.ctypes.data,
        Gemm.BATCH0: c.shape[0],
        Gemm.BATCH1: c.shape[1],
        Gemm.M: m,
        Gemm.N: n,
        Gemm.K: k,
        Gemm.C_M: strides(c)[2],
    }
    names = [
        "A_BATCH0",
        "A_BATCH1",
        "A_M",
        "A_K",
        "B_BATCH0",
        "B_BATCH1",
        "B_K",
        "B_N",
        "C_BATCH0",
        "C_BATCH1",
    ]
    words |= {Gemm[n]: s for n, s in zip(names, (*a_strides, *b_strides, *strides(c)[:2]), strict=True)}
    return "sdx_gemm" if b_kind == "packed" else "sdx_gemm_dynamic", words, [operand]


def random(rng: np.random.Generator, dtype: str, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def check(
    rng: np.random.Generator,
    target: Target,
    dtype: str,
    m: int,
    n: int,
    k: int,
    b_kind: str,
    *,
    threads: int = 1,
    batch: tuple[int, int] = (1, 1),
    a_batch: tuple[int, int] | None = None,
    b_batch: tuple[int, int] | None = None,
    transposed_a: bool = False,
    row_padding: int = 0,
) -> None:
    """The only element of a product of one row and one column has terms of one sign, which do not cancel."""
    a = random(rng, dtype, *(a_batch or batch), *((k, m) if transposed_a else (m, k + row_padding)))
    b = random(rng, dtype, *(b_batch or batch), k, n)
    if m == n == 1:
        a, b = abs(a), abs(b)
    a = guarded(a)
    a = a.swapaxes(-1, -2) if transposed_a else a[..., :k]
    whole = guarded(np.full((*batch, m + 1, n + 3), np.nan, dtype))
    c = whole[..., :m, :n]
    symbol, words, alive = words_of(a, b, c, target, b_kind)
    run(symbol, target, dtype, words, Gemm.EPILOGUE_WORDS, threads)
    assert alive
    assert np.isnan(whole[..., m:, :]).all(), "rows beyond C were written"
    assert np.isnan(whole[..., n:]).all(), "columns beyond C were written"
    expected = np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
    assert_close(c.copy(), np.broadcast_to(expected, c.shape), k)


@TARGETS
@DTYPES
@B_KINDS
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_row_count_and_tail(
    target: Target, dtype: str, b_kind: str, threads: int, rng: np.random.Generator
) -> None:
    for m in (*range(1, 19), 28, 29, 57, 100):
        for k, n in ((1, 1), (5, 16), (16, 17), (33, 70)):
            check(rng, target, dtype, m, n, k, b_kind, threads=threads)


@TARGETS
@B_KINDS
def test_empty_sizes(target: Target, b_kind: str, rng: np.random.Generator) -> None:
    for m, n, k in ((0, 5, 5), (5, 0, 5), (5, 40, 0), (0, 0, 0)):
        check(rng, target, "float32", m, n, k, b_kind, threads=2)
    check(rng, target, "float32", 5, 5, 5, b_kind, batch=(0, 3))


@TARGETS
@DTYPES
@B_KINDS
def test_batches_broadcast(target: Target, dtype: str, b_kind: str, rng: np.random.Generator) -> None:
    for a_batch in ((3, 2), (1, 2), (3, 1), (1, 1)):
        for b_batch in ((3, 2), (1, 2), (3, 1), (1, 1)):
            for m in (2, 20, 70):
                shapes = {"batch": (3, 2), "a_batch": a_batch, "b_batch": b_batch}
                check(rng, target, dtype, m, 35, 9, b_kind, threads=2, **shapes)


@TARGETS
@DTYPES
@B_KINDS
def test_long_sums_are_cut(target: Target, dtype: str, b_kind: str, rng: np.random.Generator) -> None:
    check(rng, target, dtype, 75, 70, 3000, b_kind, threads=2)
    check(rng, target, dtype, 5, 40, 14000, b_kind)


@TARGETS
@B_KINDS
def test_awkward_a(target: Target, b_kind: str, rng: np.random.Generator) -> None:
    for m, n, k in ((1, 150, 40), (17, 150, 33), (40, 150, 1000), (30000, 5, 1), (20000, 5, 17)):
        check(rng, target, "float32", m, n, k, b_kind, transposed_a=True)
    check(rng, target, "float32", 30, 200, 1024, b_kind)
    check(rng, target, "float32", 30, 200, 1000, b_kind, row_padding=24)


@TARGETS
@DTYPES
@pytest.mark.parametrize("k", [20, 4000])
def test_finish(target: Target, dtype: str, k: int, rng: np.random.Generator) -> None:
    for m, n in ((3, 5), (20, 64), (40, 77)):
        a, b = guarded(random(rng, dtype, 1, 1, m, k)), random(rng, dtype, 1, 1, k, n)
        bias, residual = guarded(random(rng, dtype, n)), guarded(random(rng, dtype, m, n + 2)[:, :n])
        for with_bias, with_residual, low, high in (
            (1, 0, -1.0, np.inf),
            (0, 1, -np.inf, 2.0),
            (1, 1, -3.0, 3.0),
        ):
            c = guarded(np.empty((1, 1, m, n), dtype))
            symbol, words, alive = words_of(a, b, c, target, "packed")
            words |= finish_words(Gemm, dtype, low, high)
            words[Gemm.BIAS] = bias.ctypes.data if with_bias else 0
            words[Gemm.RESIDUAL] = residual.ctypes.data if with_residual else 0
            words[Gemm.R_M] = strides(residual)[0]
            run(symbol, target, dtype, words, Gemm.EPILOGUE_WORDS, 2)
            assert alive
            exact = np.matmul(a[0, 0].astype(np.float64), b[0, 0].astype(np.float64))
            exact += with_bias * bias.astype(np.float64) + with_residual * residual.astype(np.float64)
            slack = np.abs(exact).max() * np.finfo(dtype).eps * k**0.5 * 2
            assert np.abs(c[0, 0] - np.clip(exact, low, high)).max() <= slack


@TARGETS
@DTYPES
@pytest.mark.parametrize("k", [20, 4000])
def test_epilogue_sees_every_element_once(
    target: Target, dtype: str, k: int, rng: np.random.Generator
) -> None:
    m, n, batch = 40, 77, (2, 1)
    a, b = guarded(random(rng, dtype, *batch, m, k)), random(rng, dtype, *batch, k, n)
    c, seen = np.zeros((2, m, n), dtype), np.zeros((2, m, n), int)

    def epilogue(tile: int, pitch: int, own: int, coords: int, rows: int, columns: int) -> None:
        assert (ctypes.c_int64 * 1).from_address(own)[0] == 4321
        i, row, column = (ctypes.c_int64 * 3).from_address(coords)
        place = np.s_[i, row : row + rows, column : column + columns]
        c[place] = tile_view(tile, pitch, rows, columns, dtype)
        seen[place] += 1

    callback = Epilogue(epilogue)
    symbol, words, alive = words_of(a, b, c.reshape(2, 1, m, n), target, "packed")
    words |= {Gemm.EPILOGUE: ctypes.cast(callback, ctypes.c_void_p).value or 0, Gemm.EPILOGUE_WORDS: 4321}
    run(symbol, target, dtype, words, Gemm.EPILOGUE_WORDS + 1, 2)
    assert alive
    assert (seen == 1).all()
    assert_close(c, np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(dtype)[:, 0], k)


@TARGETS
@B_KINDS
def test_non_finite_values_stay_in_their_row_and_column(
    target: Target, b_kind: str, rng: np.random.Generator
) -> None:
    for m in (2, 20):
        a, b = guarded(random(rng, "float32", 1, 1, m, 30)), random(rng, "float32", 1, 1, 30, 45)
        a[0, 0, 1, 3], b[0, 0, 7, 44] = np.inf, np.nan
        c = guarded(np.empty((1, 1, m, 45), np.float32))
        symbol, words, alive = words_of(a, b, c, target, b_kind)
        words |= finish_words(Gemm, "float32", 0.0, 6.0)
        run(symbol, target, "float32", words, Gemm.EPILOGUE_WORDS)
        assert alive
        assert np.isnan(c[..., 44]).all()
        assert np.isfinite(np.delete(c[0, 0, :, :44], 1, 0)).all()
        assert set(np.unique(c[0, 0, 1, :44])) <= {0.0, 6.0}


@TARGETS
def test_results_do_not_depend_on_threads(target: Target, rng: np.random.Generator) -> None:
    for m in (3, 20, 130):
        a, b = guarded(random(rng, "float32", 1, 1, m, 2500)), random(rng, "float32", 1, 1, 2500, 100)
        results = []
        for threads in (1, 2, 5):
            c = guarded(np.empty((1, 1, m, 100), np.float32))
            symbol, words, alive = words_of(a, b, c, target, "packed")
            run(symbol, target, "float32", words, Gemm.EPILOGUE_WORDS, threads)
            assert alive
            results.append(c.tobytes())
        assert len(set(results)) == 1


@TARGETS
@B_KINDS
@pytest.mark.parametrize("fetch", [*FETCHES, BESIDE], ids=["far", "near", "beside"])
def test_nothing_is_prefetched_that_is_not_read(
    target: Target, b_kind: str, fetch: Prefetch, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, fetch, define_gemm, "f32")
    shapes = [(1, 70, 33), (3, 16, 300), (14, 150, 40), (15, 200, 65), (60, 33, 130), (300, 70, 7), (1, 1, 3)]
    for m, n, k in shapes:
        for threads in (1, 2, 3):
            check(rng, target, "float32", m, n, k, b_kind, threads=threads)
    check(rng, target, "float32", 75, 70, 3000, b_kind, threads=2)
    check(rng, target, "float32", 5, 40, 14000, b_kind)
    check(rng, target, "float32", 17, 90, 20, b_kind, batch=(2, 3), threads=2)
    assert trace.fetched
    assert not trace.wasted


@TARGETS
@pytest.mark.parametrize(("m", "k"), [(1, 400), (14, 400), (28, 400), (300, 400), (300, 2500)])
def test_what_is_read_is_prefetched(
    target: Target, m: int, k: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, FETCHES[1], define_gemm, "f32")
    check(rng, target, "float32", m, 16 * target.lanes, k, "packed")
    assert len(trace.fetched) > 0.8 * len(trace.lines)


def innermost_loops(assembly: str) -> list[list[str]]:
    """The instructions between each label and the last jump back to it, if no other such loop is inside."""
    lines = [line.strip() for line in assembly.splitlines()]
    labels = {line.split(":")[0]: i for i, line in enumerate(lines) if re.match(r"\.LBB\w+:", line)}
    spans: dict[int, int] = {}
    for i, line in enumerate(lines):
        jump = re.match(r"j\w+\s+(\.LBB\w+)", line)
        if jump and labels[jump[1]] < i:
            spans[labels[jump[1]]] = i
    inner = [(a, b) for a, b in spans.items() if not any(a < x and y < b for x, y in spans.items())]
    return [[x for x in lines[a + 1 : b + 1] if x and not x.startswith((".", "#"))] for a, b in inner]


def of_each_level() -> Iterator[Any]:
    """All tiles; those that multiply as another one of their level does are slow tests."""
    for level in isa.TARGETS:
        known = set[str]()
        for tile in level.tiles:
            marks = [pytest.mark.slow] * (tile.instruction.name in known)
            known.add(tile.instruction.name)
            yield pytest.param(level, tile, marks=marks, id=f"{level.name}-{tile}")


@pytest.mark.parametrize(("level", "tile"), list(of_each_level()))
def test_inner_loops_keep_everything_in_registers(level: Target, tile: RegisterTile) -> None:
    target = isa.with_features(level, tile.features)
    texts = library_ir(Goal(target, Policy(tile.precisions[0])), tile.operand)
    mnemonic = tile.instruction.mnemonic
    most = 2.0 + bool(tile.instruction.sum_register) + bool(tile.instruction.widen) / tile.instruction.steps
    assembly = "".join(assembled(text, target) for text in texts)
    found = 0
    for name, rows, vectors, phases, streams, body in re.findall(
        r"^(brgemm_\w+?_(\d+)x(\d)(p\d)?(?:s(\d))?):[^\n]*\n(.*?)^\.Lfunc_end", assembly, re.M | re.S
    ):
        counts = []
        for loop in innermost_loops(body):
            fma = sum(mnemonic in x for x in loop)
            if not fma:
                continue
            counts.append(fma)
            assert not [x for x in loop if "(%rsp)" in x], f"{name} spills in its inner loop"
            assert len(loop) <= most * fma + 20, f"{name}: {len(loop)} instructions for {fma} {mnemonic}"
            if int(rows) * int(vectors) >= LARGE and most == 2.0 and fma > int(rows) * int(vectors):
                assert len(loop) <= 1.75 * fma, f"{name}: {len(loop)} instructions for {fma} {mnemonic}"
        per_step = int(rows) * int(vectors)
        side_by_side = [2 * int(streams) * per_step] if streams else []
        expected = sorted([per_step, 4 * per_step, *side_by_side])
        assert sorted(counts) == expected, f"{name}: FMA of its loops: {counts}"
        found += 1
        assert not phases or int(rows) <= 3
    most_split = tile.rows if target.prefetch.streams > 1 and tile.accumulator[0] == "f" else 3
    assert found == 2 * (tile.rows + (0 if tile.instruction.widen else most_split))
