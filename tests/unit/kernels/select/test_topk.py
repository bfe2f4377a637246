"""The best elements along an axis in native code, against their meaning in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.algorithms import sort
from sardonyx.ir.value import Value, many
from sardonyx.kernels.select.topk import Selection, topk_calls
from tests.runnable import runnable_targets
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, natives, program_of
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
TYPES = [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
REALS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def check(x: Array, target: Target, k: int, axis: int, largest: bool, threads: Sequence[int] = (1,)) -> None:
    """Values and places are those of the reference, bit by bit."""
    attrs = {"k": k, "axis": axis, "largest": largest}

    def build(v: Value) -> tuple[Value, ...]:
        shape = tuple(k if a == axis else n for a, n in enumerate(v.shape))
        return many("topk", (v,), attrs, [(v.dtype, shape), (dt.I64, shape)])

    expected, order = sort.topk(x, k=k, axis=axis, largest=largest)
    for values, places in natives(graph_of(build, [x]), target, [guarded(x)], threads):
        assert np.array_equal(places, order)
        assert np.array_equal(values.view(np.uint8), expected.view(np.uint8))


@TARGETS
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis", "ks"),
    [((1,), 0, (1,)), ((100,), 0, (1, 7, 100)), ((4, 65), 1, (2, 64, 65)), ((3, 20, 5), 1, (0, 3, 20))],
)
def test_shapes(
    target: Target, largest: bool, shape: tuple[int, ...], axis: int, ks: tuple[int, ...]
) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    for k in ks:
        check(x, target, k, axis, largest, (1, 2))


@TARGETS
@pytest.mark.parametrize("dtype", [*TYPES, *REALS])
@pytest.mark.parametrize("largest", [False, True])
def test_types_and_ties(target: Target, dtype: Any, largest: bool) -> None:
    rng = np.random.default_rng(2)
    for x in (rng.integers(0, 4, (2, 50)), rng.integers(-100, 100, (2, 50))):
        check(x.astype(dtype), target, 20, 1, largest)


@TARGETS
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("largest", [False, True])
def test_special_numbers(target: Target, dtype: Any, largest: bool) -> None:
    x = np.array([0, -0.0, np.nan, np.inf, 1, -np.nan, -np.inf, -1, 0, np.nan] * 3).astype(dtype)
    for k in (1, 5, 30):
        check(x, target, k, 0, largest)


@TARGETS
@pytest.mark.parametrize("size", [1, 7, 8, 16, 33, 255, 256, 257])
def test_few_of_short_lines(target: Target, size: int) -> None:
    rng = np.random.default_rng(size)
    x = rng.integers(-9, 9, (5, size)).astype(np.float32)
    x[1] = np.nan
    x[2, ::3] = -np.inf
    x[3] = -0.0
    for k in {1, min(2, size), min(16, size), min(17, size)}:
        for largest in (True, False):
            check(x, target, k, 1, largest, (1, 2))
            check(x.view(np.uint32), target, k, 1, largest)
            check(x.astype(ml_dtypes.bfloat16), target, k, 1, largest)


@TARGETS
def test_long_lines(target: Target) -> None:
    x = np.random.default_rng(3).standard_normal((2, 30_000)).astype(np.float32)
    for k in (10, 5000):
        check(x, target, k, 1, True)


@TARGETS
@pytest.mark.parametrize("dtype", [*TYPES, *REALS])
@pytest.mark.parametrize("largest", [False, True])
def test_many_of_long_lines(target: Target, dtype: Any, largest: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(-100, 100, (3, 2100)).astype(dtype)
    if dtype in REALS:
        x[:, ::70], x[1, ::90], x[2, ::50] = np.nan, -np.inf, -0.0
    for k in (31, 32, 300, 2100):
        check(x, target, k, 1, largest, (1, 2))


@TARGETS
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("inner", [2, 15, 16, 17, 40])
@pytest.mark.parametrize("largest", [False, True])
def test_lines_across(target: Target, dtype: Any, inner: int, largest: bool) -> None:
    rng = np.random.default_rng(inner)
    x = rng.integers(-90, 90, (2, 130, inner)).astype(dtype)
    for k in (1, 5, 130):
        check(x, target, k, 1, largest, (1, 2))


@TARGETS
def test_many_of_lines_across(target: Target) -> None:
    x = np.random.default_rng(4).standard_normal((1400, 3)).astype(np.float32)
    x[7, 1], x[1300, 2] = np.nan, -np.inf
    for k in (1024, 1025, 1400):
        check(x, target, k, 0, True, (1, 2))


@TARGETS
def test_sizes_known_at_run_time(target: Target) -> None:
    n = dims.symbol("n")

    def build(v: Value) -> tuple[Value, ...]:
        shape = (2, dims.floordiv(n, 2))
        attrs = {"k": shape[1], "axis": 1, "largest": True}
        return many("topk", (v,), attrs, [(v.dtype, shape), (dt.I64, shape)])[1:]

    program = program_of(graph_of(build, [np.zeros((2, 4), np.int64)], (), [(2, n)]), target)
    for size in (4, 9, 2300):
        x = np.random.default_rng(size).integers(-5, 5, (2, size))
        (places,) = program.run([x], [0])
        expected = sort.topk(x, k=size // 2, axis=1, largest=True)[1]
        assert np.array_equal(places, expected)


def test_the_heap_lies_in_scratch() -> None:
    def build(v: Value) -> tuple[Value, ...]:
        attrs = {"k": 3, "axis": 1, "largest": False}
        return many("topk", (v,), attrs, [(v.dtype, (2, 3)), (dt.I64, (2, 3))])

    for dtype, bytes_ in ((np.int8, 8), (np.float64, 16)):
        (call,) = calls_of(topk_calls, build, [np.zeros((2, 9), dtype)])
        assert call.scratch_bytes == 3 * bytes_, "an entry is a key and a place"
        assert call.plan == "the best 3 of 9"
    abreast = targets.detect().lanes
    few = (3, 2, 2 * 3), (3, 99, abreast * 3)
    for k, inner, entries in (*few, (5000, 99, max(1024 * abreast, 5000)), (20_000, 9, 20_000)):
        shape = (k, inner)
        (call,) = calls_of(
            topk_calls,
            lambda v, k=k, shape=shape: many(
                "topk", (v,), {"k": k, "axis": 0, "largest": True}, [(v.dtype, shape), (dt.I64, shape)]
            ),
            [np.zeros(shape, np.float32)],
        )
        assert call.scratch_bytes == 8 * entries
    assert Selection(dt.F32, True).symbol != Selection(dt.F32, False).symbol
