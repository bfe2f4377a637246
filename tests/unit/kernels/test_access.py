"""Elements of every type in memory are values of their compute type in registers, alone or as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.kernels.access import Access, compressed, gather
from sardonyx.llvm.vec import Function, V, int_
from tests.runnable import runnable_targets
from tests.unit.llvm.written import Array, run

DTYPES = [dt.F32, dt.F64, dt.F16, dt.BF16, dt.I8, dt.U16, dt.I64, dt.BOOL]
SIZE = 8


def memory(dtype: DType) -> Array:
    return np.array([0, 1, 1, 0, 1, 1, 1, 0] if dtype is dt.BOOL else [3, 0, 7, 1, 5, 2, 6, 4]).astype(
        dtype.numpy
    )


def raw(array: Array) -> Array:
    """The same bits as plain numbers that a test may hand over."""
    return array.view({1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[array.itemsize])


def spilled(f: Function, vector: V) -> V:
    """The address of a vector."""
    place = f.alloca(vector.scalar, vector.lanes)
    f.store(vector, place, 64)
    return place


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_elements_come_and_go(dtype: DType) -> None:
    def write(f: Function, x: V) -> list[V]:
        access, at = Access(f, dtype, targets.detect()), spilled(f, x)
        access.store(access.load(at, int_(2)), at, int_(0))
        mask = f.tail_mask(int_(3), SIZE)
        vector = access.load_lanes(at, int_(0), mask)
        access.store_lanes(vector, at, int_(4), f.tail_mask(int_(4), SIZE))
        return [f.load(at, x.type)]

    x = memory(dtype)
    (got,) = run(write, raw(x))
    expected = x.copy()
    expected[0] = x[2]
    expected[4:] = [*expected[:3], 0]
    assert got.view(dtype.numpy).tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [dt.F16, dt.BF16, dt.F32, dt.F64], ids=str)
def test_floats_in_double_precision(dtype: DType) -> None:
    def write(f: Function, x: V) -> list[V]:
        access, at = Access(f, dtype, targets.detect()), spilled(f, x)
        half = f.binary("fmul", access.load_double(at, int_(2)), V("0.5", "double"))
        access.store_double(half, at, int_(1))
        return [half, f.load(at, x.type)]

    half, stored = run(write, raw(memory(dtype)))
    assert half[0] == 3.5
    assert stored.view(dtype.numpy)[1] == 3.5


def test_gathers() -> None:
    x, offsets = np.arange(8, dtype=np.float32) * 10, np.array([7, 0, 0, 3, 1, 2, 6, 5])
    (gathered,) = run(lambda f, x, offsets: [gather(f, spilled(f, x), offsets, "float")], x, offsets)
    assert np.array_equal(gathered, x[offsets])


@pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.float64, np.int64])
def test_what_is_left_of_a_mask(target: Target, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 9, target.lanes * 4 // np.dtype(dtype).itemsize).astype(dtype)
    masks = [
        np.zeros(x.size, np.uint8),
        np.ones(x.size, np.uint8),
        *rng.integers(0, 2, (30, x.size), np.uint8),
    ]

    def write(f: Function, x: V, *masks: V) -> list[V]:
        return [v for mask in masks for v in compressed(f, x, f.convert("trunc", mask, "i1"), target)]

    found = run(write, x, *masks, target=target)
    for mask, packed, count in zip(masks, found[::2], found[1::2], strict=True):
        kept = x[mask.astype(bool)]
        assert count[0] == len(kept)
        assert np.array_equal(packed[: len(kept)], kept)
