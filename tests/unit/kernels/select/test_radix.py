"""Entries are sorted by all bits of their keys, and equal ones stay in order."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.kernels.select.radix import define_radix
from tests.unit.kernels.tiles.made import Made


@pytest.fixture(scope="module")
def made() -> Made:
    return Made(lambda module: define_radix(module, "t"))


@pytest.mark.parametrize("size", [0, 1, 2, 7, 256, 1000])
@pytest.mark.parametrize(
    "mask", [0, 1, 0x80, 0xFF, 0x1FE, 0xFFFF, 0xF0000F, 1 << 63, (1 << 64) - 1, 0x8000000000000001]
)
def test_keys_in_order(made: Made, size: int, mask: int) -> None:
    rng = np.random.default_rng(size)
    bits = rng.integers(0, 1 << 63, size, np.uint64) * np.uint64(2) + rng.integers(0, 2, size, np.uint64)
    keys = (bits & np.uint64(mask)) | (np.uint64(0x2400) & ~np.uint64(mask))
    lists = [np.stack([keys, np.arange(size, dtype=np.uint64)], 1), np.zeros((size, 2), np.uint64)]
    varying = int(np.bitwise_or.reduce(keys ^ keys[:1])) if size else 0
    where = made.call(
        made.names, *lists, size, np.uint64(varying).astype(np.int64).item(), result=ctypes.c_int64
    )
    sorted_ = lists[where != lists[0].ctypes.data]
    order = np.argsort(keys, kind="stable")
    assert np.array_equal(sorted_[:, 0], keys[order])
    assert np.array_equal(sorted_[:, 1], order.astype(np.uint64))
