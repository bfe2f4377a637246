"""Distinct elements in native code, against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.kernels.select.unique import unique_calls
from sardonyx.ops.onnx.sort import unique
from tests.runnable import runnable_targets
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, natives
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
TYPES = [bool, np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64]
REALS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def check(x: Array, target: Target, axis: int | None, ordered: int, threads: Sequence[int] = (1,)) -> None:
    """All four results are those of the reference."""
    graph = graph_of(lambda v: unique(v, axis=axis, sorted=ordered), [x])
    expected = run(graph, [x])
    for got in natives(graph, target, [guarded(x)], threads):
        for a, e in zip(got, expected, strict=True):
            assert a.shape == e.shape
            assert np.array_equal(a.view(np.uint8), e.view(np.uint8))


@TARGETS
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1,), None), ((60,), None), ((3, 20), None), ((0,), None), ((12, 2), 0), ((2, 30), 1), ((3, 9, 2), 1)],
)
def test_shapes(target: Target, ordered: int, shape: tuple[int, ...], axis: int | None) -> None:
    x = np.random.default_rng(1).integers(-2, 3, shape).astype(np.float32)
    check(x, target, axis, ordered, (1, 2))


@TARGETS
@pytest.mark.parametrize("dtype", [*TYPES, *REALS])
def test_types(target: Target, dtype: Any) -> None:
    x = np.random.default_rng(2).integers(-3, 8, (40,)).astype(dtype)
    check(x, target, None, 1)
    check(x.reshape(20, 2), target, 0, 0)


@TARGETS
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("ordered", [0, 1])
def test_special_numbers(target: Target, dtype: Any, ordered: int) -> None:
    x = np.array([1, np.nan, -0.0, np.inf, 0, np.nan, -np.inf, 1, -1, np.nan], dtype)
    check(x, target, None, ordered)


@TARGETS
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint64, np.float32, np.float64, ml_dtypes.bfloat16]
)
def test_many_elements(target: Target, dtype: Any, ordered: int) -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 256, 1500 * np.dtype(dtype).itemsize, np.uint8)
    x = rng.permutation(np.tile(bits.view(dtype), 2))
    if dtype in REALS:
        x[np.isnan(x)] = np.nan
    check(x, target, None, ordered)
    check(rng.integers(0, 5, 300).astype(dtype), target, None, ordered)


@TARGETS
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((200, 2), 0), ((200, 4), 0), ((200, 5), 0), ((3, 100, 4), 1), ((100, 0), 0), ((100, 64), 0)],
)
@pytest.mark.parametrize("high", [2, 100])
def test_many_slices(target: Target, ordered: int, shape: tuple[int, ...], axis: int, high: int) -> None:
    x = np.random.default_rng(4).integers(-high, high, shape)
    check(x, target, axis, ordered)
    check(np.concatenate([x, x[:, ::-1]], axis), target, axis, ordered)


@TARGETS
def test_slices_that_differ_late(target: Target) -> None:
    x = np.zeros((120, 9), np.float32)
    x[:, 8] = np.random.default_rng(5).integers(-20, 20, 120)
    x[::3, 2], x[1::7, 0] = np.inf, -0.0
    check(x, target, 0, 1)


def test_work_grows_with_the_elements() -> None:
    works = [
        sum(c.work for c in calls_of(unique_calls, lambda v: unique(v), [np.zeros(n, np.float32)]))
        for n in (10, 1000)
    ]
    assert works[1] >= 100 * works[0]
