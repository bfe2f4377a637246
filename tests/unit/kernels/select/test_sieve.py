"""Of lines of any order the least keys stay, in order, and of equal ones those that come first."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.kernels.select.sieve import define_sieve, lanes_of, sieve_bytes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.made import Made

TARGET = targets.detect()
TYPES = pytest.mark.parametrize("dtype", [np.uint32, np.uint64])


@cache
def made(bits: int) -> Made:
    """The sieve of lines of keys."""

    def keys(f: Function, line: V, first: V, mask: V) -> V:
        key = f"i{bits}"
        return f.masked_load(f.gep(line, first, key), vector_of(key, mask.lanes), mask)

    return Made(lambda module: define_sieve(module, "t", keys, bits, TARGET))


def check(keys: np.ndarray[Any, Any], *ks: int) -> None:
    bits = 8 * keys.itemsize
    line, sieve = guarded(keys), made(bits)
    for k in ks:
        scratch = guarded(np.zeros(sieve_bytes(keys.size, k, bits, TARGET), np.uint8), align=8)  # type: ignore[arg-type]
        at = sieve.call(sieve.names, line, keys.size, k, scratch, result=ctypes.c_int64)
        entries = np.ctypeslib.as_array((ctypes.c_uint64 * (2 * k)).from_address(at)).reshape(k, 2)
        order = np.argsort(keys, kind="stable")[:k]
        assert np.array_equal(entries[:, 0], keys[order])
        assert np.array_equal(entries[:, 1], order)


@TYPES
@pytest.mark.parametrize("size", [1, 7, 8, 16, 33, 543, 544, 545, 600, 1024, 1025, 5000])
def test_random_keys(dtype: Any, size: int) -> None:
    rng = np.random.default_rng(size)
    keys = rng.integers(0, np.iinfo(dtype).max, size, dtype, endpoint=True)
    check(keys, *(k for k in (1, 2, 31, 32, 33, 88, 500, 512, 513, size - 1, size) if 0 < k <= size))


@TYPES
@pytest.mark.parametrize("different", [1, 2, 5, 40])
def test_many_equal_keys(dtype: Any, different: int) -> None:
    rng = np.random.default_rng(different)
    check(rng.integers(0, different, 3000, dtype), 32, 100, 1400, 2999, 3000)


@TYPES
@pytest.mark.parametrize("step", [1, -1])
def test_keys_that_rise_and_fall(dtype: Any, step: int) -> None:
    check(np.arange(4000, dtype=dtype)[::step].copy(), 32, 300, 3000)


@TYPES
def test_keys_at_both_ends(dtype: Any) -> None:
    """The greatest key fills what is left of vectors, and is a key as any other."""
    highest = np.iinfo(dtype).max
    check(np.full(2000, highest, dtype), 50, 1999)
    check(np.where(np.arange(2000) % 3, highest, 0).astype(dtype), 50, 700, 2000)
    check((highest - np.arange(2000, dtype=dtype) // dtype(900)).astype(dtype), 50, 1500)
    check(np.zeros(2000, dtype), 50)


def test_scratch_grows_with_what_is_asked_for_and_not_with_the_line() -> None:
    few, many = (sieve_bytes(1 << 20, k, 32, TARGET) for k in (100, 1000))
    assert few < many < 200_000  # type: ignore[operator]
    assert sieve_bytes(1 << 24, 100, 32, TARGET) == few
    assert lanes_of(64, TARGET) == lanes_of(32, TARGET) // 2
