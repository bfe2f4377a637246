"""Native tables of numbers against their meaning in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.algorithms import dictionary
from sardonyx.ir.value import Value, make
from sardonyx.kernels.select.lookup import integers, lookup_calls
from tests.runnable import runnable_targets
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def check(x: Array, keys: Array, values: Array, default: Any, target: Target) -> None:
    """The native values are those of the reference."""
    arrays = [x, keys, values, np.asarray(default, values.dtype)]

    def build(*given: Value) -> list[Value]:
        return [make("lookup", given, {}, given[2].dtype, given[0].shape)]

    (got,) = native(graph_of(build, arrays, (1, 2, 3)), target, [guarded(x)], 2)
    assert np.array_equal(got, dictionary.lookup(*arrays), equal_nan=values.dtype.kind == "f")


@TARGETS
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("result", [np.int64, np.float32, np.bool_])
@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_types(target: Target, kind: Any, result: Any, count: int) -> None:
    rng = np.random.default_rng(count)
    low = 0 if np.dtype(kind).kind == "u" else -40
    keys, x = rng.integers(low, 40, count), rng.integers(low, 40, (3, 17))
    check(x.astype(kind), keys.astype(kind), rng.integers(0, 9, count).astype(result), 1, target)


@TARGETS
def test_special_keys(target: Target) -> None:
    x = np.array([np.nan, 0.0, -0.0, np.inf, 1, 2], np.float32)
    check(x, np.array([-0.0, np.nan, -np.inf, 2], np.float32), np.arange(4), -1, target)
    wide = np.array([1, 2**40 + 2, 3], np.int64)
    check(np.array([1, 2, 3], np.int32), wide, np.array([5.0, 6.0, np.nan]), 0.5, target)


def test_keys_that_no_element_can_have_are_left_out() -> None:
    def build(*given: Value) -> list[Value]:
        return [make("lookup", given, {}, given[2].dtype, given[0].shape)]

    arrays = [np.zeros(5, np.int8), np.array([1, 300, 2, 1]), np.arange(4), np.array(-1)]
    (call,) = calls_of(lookup_calls, build, arrays, (1, 2, 3))
    assert call.plan == "2 keys"


def test_integers_order_as_elements_do() -> None:
    x = np.float32([np.nan, np.inf, 3, 0, -1, -np.inf])
    order = integers(x, dt.F32)
    assert (np.sort(order)[::-1] == order).all(), "NaN is above all numbers"
    assert integers(np.float32([-0.0]), dt.F32) == integers(np.float32([0.0]), dt.F32)
