"""Elements round to nearest even on their way to memory; casts truncate and wrap."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dtype import DType
from sardonyx.llvm import convert
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, V
from sardonyx.targets.x86_64 import isa
from sardonyx.targets.x86_64.instructions import ROUND_BF16
from tests.runnable import need
from tests.unit.llvm.registers import rounded_halves
from tests.unit.llvm.written import run

TARGET = targets.detect()


@pytest.mark.parametrize(
    ("dtype", "memory", "compute"),
    [
        (dt.F32, "float", "float"),
        (dt.F16, "half", "float"),
        (dt.BF16, "i16", "float"),
        (dt.BOOL, "i8", "i1"),
        (dt.U16, "i16", "i16"),
        (dt.F64, "double", "double"),
    ],
)
def test_types_in_memory_and_in_registers(dtype: DType, memory: str, compute: str) -> None:
    assert (convert.memory_type(dtype), convert.compute_type(dtype)) == (memory, compute)


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_halves_round_to_nearest_even(half: Any) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 1 << 32, 64, np.uint32).view(np.float32)
    ties = np.array(
        [1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-11, 1 + 3 * 2**-11, np.inf, -np.inf, np.nan, 65520], np.float32
    )
    dtype = dt.by_numpy(np.dtype(half))
    with np.errstate(all="ignore"):
        for x in (bits, ties):
            (got,) = run(lambda f, v: [convert.to_memory(f, v, dtype, TARGET)], x)
            expected = x.astype(half)
            same = (got.view(np.uint16) == expected.view(np.uint16)) | np.isnan(expected.astype(np.float32))
            assert same.all()
            stored = expected.view(np.float16) if half is np.float16 else expected.view(np.uint16)
            (back,) = run(lambda f, v: [convert.from_memory(f, v, dtype)], stored)
            assert np.array_equal(back, expected.astype(np.float32), equal_nan=True)


def test_an_instruction_rounds_alike_but_for_what_is_not_normal() -> None:
    target = need(isa.with_features(isa.V4, ["avx512bf16"]))
    by_instruction = replace(target, instructions=(*target.instructions, ROUND_BF16))
    x = np.random.default_rng(2).integers(0, 1 << 32, 64, np.uint32).view(np.float32)
    x[:3] = np.nan, np.inf, -1e-39

    def write(f: Function, v: V) -> list[V]:
        parts = [f.shuffle(v, v, range(n, n + 16)) for n in range(0, 64, 16)]
        return [convert.to_memory(f, part, dt.BF16, by_instruction) for part in parts]

    got = np.concatenate(run(write, x, target=target)).view(np.uint16)
    assert np.array_equal(got, rounded_halves(x))


def test_a_double_is_rounded_to_half_once() -> None:
    tie = 1 + 2.0**-11 + 2.0**-40
    x = np.array([tie, -tie, 1 + 2.0**-11, 2.0**-25 * (1 + 2.0**-30)])

    def write(f: Function, v: V) -> list[V]:
        return [convert.cast(f, TARGET, v, dt.F64, dt.F16)]

    (got,) = run(write, x)
    assert got.tolist() == x.astype(np.float16).astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("to", "expected"),
    [(dt.I8, [1, -1, 44, 0]), (dt.U8, [1, 255, 44, 0]), (dt.I32, [1, -1, 300, 0]), (dt.BOOL, [1, 1, 1, 0])],
)
def test_floats_are_truncated_and_wrap(to: DType, expected: list[int]) -> None:
    x = np.array([1.9, -1.9, 300.5, 0.0], np.float32)
    (got,) = run(lambda f, v: [convert.cast(f, TARGET, v, dt.F32, to)], x)
    assert got.view(to.numpy).tolist() == expected


def test_bits_are_kept_and_literals_rounded() -> None:
    x = np.array([1.0, -2.5, 0, 3e10], np.float32)
    (got,) = run(lambda f, v: [convert.bitcast(f, TARGET, v, dt.F32, dt.I32)], x)
    assert got.tolist() == x.view(np.int32).tolist()
    assert (
        convert.literal(0.1, dt.F16).text == Lanes(None, V("", "float")).like(float(np.float16(0.1))).v.text
    )  # type: ignore[arg-type]
    assert convert.literal(-1, dt.U8).text == "-1"
    assert convert.literal(255, dt.I8).text == "-1"
    assert convert.literal(2, dt.BOOL).text == "true"


def test_what_is_rounded_becomes_an_integer() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 255.5, 1e9, 3e9, -3e9, np.inf, -np.inf, np.nan, 7, -7, 0, -0.0])
    for dtype in (dt.I32, dt.U8, dt.I8, dt.U16):
        (got,) = run(lambda f, v, to=dtype: [convert.nearest(f, v, to)], x.astype(np.float32))  # type: ignore[misc]
        fits = np.abs(x) < 2**31
        whole = np.where(fits, np.rint(np.where(fits, x, 0)), -(2**31)).astype(np.int64)
        assert np.array_equal(got, whole.astype(dtype.numpy).view(got.dtype))
