"""Products of small integers against exact sums, on guarded memory: equal, whatever the sizes and numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.pack import pack_b
from tests.unit.kernels.native import Array, guarded, integer_cases, most_weight, run, strides

CASES = pytest.mark.parametrize(("target", "operand"), integer_cases())
BYTES = "i8", "i8pairs", "u8s8_i8"
LEFT = {**dict.fromkeys(BYTES, "uint8"), "i16": "int16"}
RIGHT = {**dict.fromkeys(BYTES, "int8"), "i16": "int16"}
DEPTH = {**dict.fromkeys(BYTES, 4), "i16": 2}


def numbers(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], *, extreme: bool) -> Array:
    """Numbers of 8 bits; centred ones of 9 bits if there is room; or none but the greatest and the least."""
    low, high = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-255, 255)}[dtype]
    drawn = rng.integers(low, high + 1, shape)
    return np.where(drawn < (low + high) / 2, low, high).astype(dtype) if extreme else drawn.astype(dtype)


def check(
    rng: np.random.Generator,
    target: Target,
    operand: str,
    m: int,
    n: int,
    k: int,
    *,
    threads: int = 1,
    batch: tuple[int, int] = (1, 1),
    same_b: bool = False,
    row_padding: int = 0,
    extreme: bool = False,
) -> None:
    depth = DEPTH[operand]
    size = -(-k // depth) * depth
    a = numbers(rng, LEFT[operand], (*batch, m, size + row_padding), extreme=extreme)
    a = guarded(a)[..., : a.shape[-1] - row_padding]
    b = numbers(rng, RIGHT[operand], (*((1, 1) if same_b else batch), k, n), extreme=extreme)
    most = most_weight(target, operand)
    b = b if most == 128 else b.clip(-most, most)
    operand_b = guarded(pack_b(b, Goal(target)), align=64)
    whole = guarded(np.full((*batch, m + 1, n + 3), 77, np.int32))
    c = whole[..., :m, :n]
    words = {Gemm.A: a.ctypes.data, Gemm.B: operand_b.ctypes.data, Gemm.C: c.ctypes.data}
    words |= {Gemm.BATCH0: batch[0], Gemm.BATCH1: batch[1], Gemm.M: m, Gemm.N: n, Gemm.K: size // depth}
    words |= {
        Gemm.A_BATCH0: strides(a)[0],
        Gemm.A_BATCH1: strides(a)[1],
        Gemm.A_M: strides(a)[2],
        Gemm.A_K: 1,
    }
    if not same_b:
        words |= {
            Gemm.B_BATCH0: strides(operand_b)[0] // depth,
            Gemm.B_BATCH1: strides(operand_b)[1] // depth,
        }
    words |= {Gemm.C_BATCH0: strides(c)[0], Gemm.C_BATCH1: strides(c)[1], Gemm.C_M: strides(c)[2]}
    run("sdx_gemm", target, operand, words, Gemm.EPILOGUE_WORDS, threads)
    assert (whole[..., m:, :] == 77).all(), "rows beyond C were written"
    assert (whole[..., n:] == 77).all(), "columns beyond C were written"
    # Sums stay far below 2**53, up to which float64 is exact.
    exact = np.matmul(a[..., :k].astype(np.float64), b.astype(np.float64))
    assert np.array_equal(c, exact.astype(np.int64).astype(np.int32))


@CASES
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_row_count_and_tail(
    target: Target, operand: str, threads: int, rng: np.random.Generator
) -> None:
    for m in (*range(1, 19), 28, 29, 57, 100):
        for k, n in ((1, 1), (5, 16), (16, 17), (33, 70)):
            check(rng, target, operand, m, n, k, threads=threads)


@CASES
@pytest.mark.parametrize("draws", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_drawn_sizes_with_the_greatest_and_least_numbers(
    target: Target, operand: str, draws: int, rng: np.random.Generator
) -> None:
    for _ in range(draws):
        m, n, k = (int(rng.integers(1, most)) for most in (70, 140, 900))
        batch = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        check(
            *(rng, target, operand, m, n, k),
            threads=int(rng.integers(1, 3)),
            batch=batch,
            same_b=bool(rng.integers(2)),
            row_padding=int(rng.integers(0, 9)),
            extreme=bool(rng.integers(2)),
        )


@CASES
def test_long_sums_are_cut(target: Target, operand: str, rng: np.random.Generator) -> None:
    check(rng, target, operand, 33, 40, 16000, threads=2, extreme=True)
    check(rng, target, operand, 3, 20, 60001, extreme=True)


@CASES
def test_empty_sizes(target: Target, operand: str, rng: np.random.Generator) -> None:
    for m, n, k in ((0, 5, 5), (5, 0, 5), (5, 40, 0), (0, 0, 0)):
        check(rng, target, operand, m, n, k, threads=2)
