"""Products on matrix registers against float64, on guarded memory, by the machine or by its model."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import matrices_ir
from sardonyx.kernels.product import matrix as matrix_block
from sardonyx.kernels.product.matrix import prefix
from sardonyx.kernels.product.pack import pack_matrix
from sardonyx.kernels.scratch import product_bytes
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.native import Array, execute, finish_words, guarded, strides
from tests.unit.kernels.traced import FETCH, Log
from tests.unit.llvm.registers import modelled
from tests.unit.objects import compiled, contractions, loaded

TILES = [tile for tile in isa.V4.matrices if tile.operand == "f32"]
NAMED = pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile.name)
HOW = pytest.mark.parametrize("how", ["machine", "model"])
B_KINDS = pytest.mark.parametrize("b_kind", ["packed", "rows", "columns"])
_models: list[Any] = []


@cache
def library(tile: MatrixTile, how: str) -> tuple[Goal, LoadedImage]:
    """The kernels, executed by this machine or, but for matrix registers, by a model."""
    target = need(isa.V4 if how == "model" else isa.with_features(isa.V4, tile.features))
    goal = Goal(target, Policy(tile.precisions[0]))
    own = matrices_ir(tile, goal)
    code = engine.compile_object(modelled(own, _models), target) if how == "model" else compiled(own, target)
    return goal, loaded([*contractions(goal), code], target)


def multiplied(
    tile: MatrixTile, how: str, a: Array, b: Array, b_kind: str, *, threads: int = 1, finish: bool = False
) -> Array:
    """a[batch, m, k] @ b[batch, k, n], of which nothing but the result is written."""
    goal, image = library(tile, how)
    batch, m, k = a.shape
    n = b.shape[-1]
    whole = guarded(np.full((batch, m + 1, n + 3), np.nan, np.float32))
    c = whole[:, :m, :n]
    if b_kind == "packed":
        held = guarded(pack_matrix(b, tile), align=64)
        b_strides: tuple[int, ...] = (held.strides[0] // 4, 0, 0)
    else:
        held = guarded(b) if b_kind == "rows" else guarded(b.swapaxes(1, 2).copy()).swapaxes(1, 2)
        b_strides = strides(held)
    words: dict[Any, int] = {Gemm.A: a.ctypes.data, Gemm.B: held.ctypes.data, Gemm.C: c.ctypes.data}
    words |= {Gemm.BATCH0: 1, Gemm.BATCH1: batch, Gemm.M: m, Gemm.N: n, Gemm.K: k}
    names = ["A_BATCH1", "A_M", "A_K", "B_BATCH1", "B_K", "B_N", "C_BATCH1", "C_M"]
    words |= {Gemm[w]: s for w, s in zip(names, (*strides(a), *b_strides, *strides(c)[:2]), strict=True)}
    if finish:
        words |= finish_words(Gemm, "float32", low=0.0)
    args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    for word, value in {**words, Gemm.L2_BYTES: goal.target.l2_bytes}.items():
        args[word] = value
    name = f"sdx_gemm_{prefix(tile, made=b_kind != 'packed')}f32"
    scratch = guarded(np.zeros(product_bytes(goal.target), np.uint8), align=64)
    execute(image.address(name), args, scratch, threads)
    assert np.isnan(whole[:, m:]).all(), "rows beyond C were written"
    assert np.isnan(whole[..., n:]).all(), "columns beyond C were written"
    return np.array(c)


def exact(a: Array, b: Array) -> Array:
    result: Array = np.matmul(a.astype(np.float64), b.astype(np.float64))
    return result


def error(got: Array, expected: Array) -> float:
    """The rms of the errors, as a part of that of the result."""
    return float(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)))


@NAMED
@HOW
@B_KINDS
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (16, 16, 32), (33, 40, 45), (5, 65, 64)])
def test_products_of_any_size(
    tile: MatrixTile, how: str, b_kind: str, m: int, n: int, k: int, rng: np.random.Generator
) -> None:
    a = guarded(rng.standard_normal((2, m, k)).astype(np.float32))
    b = rng.standard_normal((2, k, n)).astype(np.float32)
    assert error(multiplied(tile, how, a, b, b_kind), exact(a, b)) < MATRIX_BOUNDS[tile.name]


@NAMED
@B_KINDS
def test_every_row_count_and_tail(tile: MatrixTile, b_kind: str, rng: np.random.Generator) -> None:
    sizes = [(m, n, k) for m in range(1, 34) for n, k in ((1, 1), (33, 65))]
    sizes += [(m, n, k) for n in range(1, 34) for m, k in ((1, 33), (17, 2))]
    for m, n, k in (*sizes, (130, 17, 40), (300, 1, 5)):
        a = guarded(rng.standard_normal((2, m, k)).astype(np.float32))
        b = rng.standard_normal((2, k, n)).astype(np.float32)
        got, expected = multiplied(tile, "machine", a, b, b_kind, threads=1 + k % 2), exact(a, b)
        lengths = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))
        assert (np.abs(got - expected) < 4 * MATRIX_BOUNDS[tile.name] * lengths).all(), (m, n, k)


@NAMED
@B_KINDS
def test_empty_sizes(tile: MatrixTile, b_kind: str) -> None:
    for m, n, k in ((0, 5, 5), (5, 0, 5), (5, 40, 0), (40, 5, 0), (0, 0, 0)):
        a, b = guarded(np.ones((1, m, k), np.float32)), np.ones((1, k, n), np.float32)
        for threads in (1, 2):
            assert not multiplied(tile, "machine", a, b, b_kind, threads=threads).any()


# Threads share blocks of rows and columns, which cuts along k do not change.
@NAMED
@B_KINDS
@pytest.mark.parametrize(
    ("m", "n", "k", "threads"),
    [
        *((130, 100, 768, 1), (130, 100, 768, 3), (32, 64, 9000, 3), (70, 33, 5000, 1), (300, 40, 3000, 3)),
        (290, 900, 1300, 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((32, 64, 9000, 1), (70, 33, 5000, 3), (300, 40, 3000, 1))
        ),
    ],
)
def test_blocks(
    tile: MatrixTile, b_kind: str, m: int, n: int, k: int, threads: int, rng: np.random.Generator
) -> None:
    a = guarded(rng.standard_normal((1, m, k)).astype(np.float32))
    b = rng.standard_normal((1, k, n)).astype(np.float32)
    for finish in (False, True):
        expected = exact(a, b)
        got = multiplied(tile, "machine", a, b, b_kind, threads=threads, finish=finish)
        assert error(got, np.maximum(expected, 0) if finish else expected) < MATRIX_BOUNDS[tile.name]


@NAMED
@HOW
@B_KINDS
def test_rows_may_be_columns(tile: MatrixTile, how: str, b_kind: str, rng: np.random.Generator) -> None:
    a = guarded(rng.standard_normal((1, 50, 37)).astype(np.float32)).swapaxes(1, 2)
    b = rng.standard_normal((1, 50, 20)).astype(np.float32)
    assert error(multiplied(tile, how, a, b, b_kind), exact(a, b)) < MATRIX_BOUNDS[tile.name]


@NAMED
@HOW
@B_KINDS
def test_infinity_and_nan_stay_where_they_belong(
    tile: MatrixTile, how: str, b_kind: str, rng: np.random.Generator
) -> None:
    a, b = (rng.standard_normal(dims).astype(np.float32) for dims in ((1, 20, 40), (1, 40, 18)))
    b[0, 7], b[0, 9] = 1.5, 0.0
    a[0, 3, 7], a[0, 4, 7], a[0, 5, 9], a[0, 6, 1] = np.inf, -np.inf, np.inf, np.nan
    if b_kind != "packed":
        b[0, 2, 5], b[0, 3, 6], a[0, :, 2] = np.inf, np.nan, 2.0
    with np.errstate(invalid="ignore"):
        expected = exact(a, b)
    got = multiplied(tile, how, guarded(a), b, b_kind)
    finite = np.isfinite(expected)
    assert np.array_equal(got[~finite], expected[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], expected[finite]) < MATRIX_BOUNDS[tile.name]


@NAMED
@HOW
@B_KINDS
def test_the_largest_and_the_smallest_numbers(tile: MatrixTile, how: str, b_kind: str) -> None:
    a, b = np.zeros((1, 2, 32), np.float32), np.zeros((1, 32, 2), np.float32)
    a[0, 0, 0], a[0, 1, 1] = np.finfo(np.float32).max, 1e-40
    b[0, 0, 0], b[0, 1, 1] = 0.5, 1.0
    got = multiplied(tile, how, guarded(a), b, b_kind)[0]
    assert np.isclose(got[0, 0], np.finfo(np.float32).max / 2, rtol=MATRIX_BOUNDS[tile.name])
    assert got[1, 1] in (0, np.float32(1e-40))
    if b_kind != "packed":
        b[0, 0, 0] = np.finfo(np.float32).max
        a[0, 0, 0] = 0.5
        got = multiplied(tile, how, guarded(a), b, b_kind)[0]
        assert np.isclose(got[0, 0], np.finfo(np.float32).max / 2, rtol=MATRIX_BOUNDS[tile.name])


@pytest.mark.parametrize(("m", "n"), [(1, 1), (40, 70), (33, 16), (70, 96)])
def test_results_are_asked_for_and_nothing_beside_them(
    m: int, n: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = TILES[0]
    target = need(isa.with_features(isa.V4, tile.features))
    log, goal = Log(1 << 12), Goal(target, Policy(tile.precisions[0]))
    monkeypatch.setattr(matrix_block, "prefetch", lambda f, at, _level: log.write(f, at, FETCH))
    own = engine.compile_object(matrices_ir.__wrapped__(tile, goal), target, quick=True)
    image = loaded([*contractions(goal), own], target)
    monkeypatch.setattr(sys.modules[__name__], "library", lambda *_: (goal, image))
    a = guarded(rng.standard_normal((1, m, 40)).astype(np.float32))
    multiplied(tile, "machine", a, rng.standard_normal((1, 40, n)).astype(np.float32), "packed")
    lines = np.unique(log.take()[0])
    row_bytes = 4 * (n + 3)
    assert len(lines) > 0.5 * m * 4 * n / 64, "most of them"
    assert 64 * (lines[-1] - lines[0] - 1) < (m - 1) * row_bytes + 4 * n


@NAMED
def test_the_same_bits_from_the_machine_and_from_its_model(
    tile: MatrixTile, rng: np.random.Generator
) -> None:
    a = guarded(rng.standard_normal((1, 40, 70)).astype(np.float32))
    b = rng.standard_normal((1, 70, 50)).astype(np.float32)
    results = [multiplied(tile, how, a, b, "packed") for how in ("machine", "model")]
    assert np.array_equal(results[0], results[1])


@NAMED
def test_texts_are_the_same_whoever_writes_them(tile: MatrixTile) -> None:
    goal = Goal(isa.with_features(isa.V4, tile.features), Policy(tile.precisions[0]))
    texts = [matrices_ir.__wrapped__(tile, goal) for _ in range(2)]
    assert texts[0] == texts[1]
    assert engine.compile_object(texts[0], goal.target) == engine.compile_object(texts[1], goal.target)
