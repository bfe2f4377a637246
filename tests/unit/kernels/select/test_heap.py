"""Keys order as elements do, and a heap sorts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.kernels.select.heap import define_sort, key_bits, key_of, sort_heap
from sardonyx.llvm.vec import Function, Module
from tests.unit.kernels.tiles.made import Made
from tests.unit.llvm.written import run

ORDERED: list[tuple[DType, list[float]]] = [
    (dt.F32, [-np.inf, -1e30, -1, -1e-45, 0, 1e-45, 1, np.inf, np.nan]),
    (dt.F64, [-np.inf, -1, -5e-324, 0, 5e-324, 1, 1e300, np.inf, np.nan]),
    (dt.I8, [-128, -1, 0, 1, 2, 3, 4, 126, 127]),
    (dt.U16, [0, 1, 2, 3, 4, 5, 6, 7, 65535]),
    (dt.I64, [-(2**63), -2, -1, 0, 1, 2, 3, 4, 2**63 - 1]),
]


@pytest.mark.parametrize(("dtype", "elements"), ORDERED, ids=lambda v: str(v) if isinstance(v, DType) else "")
def test_keys_order_as_elements_do(dtype: DType, elements: list[float]) -> None:
    x = np.resize(np.array(elements, dtype.numpy), 16)
    (keys,) = run(lambda f, v: [key_of(f, v, dtype)], x)
    assert keys.itemsize * 8 == key_bits(dtype)
    unsigned = keys.view(f"u{keys.itemsize}")[:9].tolist()
    assert unsigned == sorted(unsigned)
    assert len(set(unsigned)) == 9


def test_both_zeros_and_all_nans_are_equal() -> None:
    x = np.array([0.0, -0.0, np.nan, -np.nan], np.float32)
    (keys,) = run(lambda f, v: [key_of(f, v, dt.F32)], x)
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 17, 100])
def test_a_heap_gives_entries_in_order(size: int) -> None:
    def define(module: Module) -> str:
        build, sink = define_sort(module, "t", "i64", lambda f, _, a, b: f.icmp("slt", a, b))
        f = Function(module, "sort", [("context", "ptr"), ("entries", "ptr"), ("size", "i64")])
        context, entries, count = f.params
        f.call(build, "void", context, entries, count)
        sort_heap(f, sink, context, entries, count, "i64")
        f.ret()
        f.finish()
        return sink

    made = Made(define)
    for seed in range(5):
        x: Any = np.random.default_rng(seed).integers(-9, 9, size)
        entries = x.copy()
        made.call("sort", np.zeros(1), entries, size)
        assert entries.tolist() == sorted(x.tolist())
