"""Native running sums and products against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.ir.value import Value, make
from sardonyx.kernels.select.scan import scan_calls
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native, natives, reference
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
SHAPES = [
    ((7,), 0),
    ((3, 10), 1),
    ((10, 3), 0),
    ((2, 5, 16), 1),
    ((4, 3, 37), 1),
    ((2, 3, 150), 1),
    ((2, 3, 5003), 1),
    ((2, 0, 3), 1),
    ((0, 4), 1),
]


def check(
    x: Array, target: Target, *, axis: int, prim: str = "cumsum", threads: Sequence[int] = (1,), **how: bool
) -> None:
    """The native result is that of the reference."""
    attrs = {"axis": axis, "exclusive": False, "reverse": False, **how}

    def build(v: Value) -> list[Value]:
        return [make(prim, (v,), attrs, v.dtype, v.shape)]

    (expected,) = reference(build, [x])
    for (got,) in natives(graph_of(build, [x]), target, [guarded(x)], threads):
        assert_close(got, expected.astype(x.dtype), x.shape[axis])


@TARGETS
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_sums(target: Target, shape: tuple[int, ...], axis: int, exclusive: bool, reverse: bool) -> None:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    check(x, target, axis=axis, exclusive=exclusive, reverse=reverse, threads=(1, 2))


TYPES = [
    np.float64,
    np.float16,
    ml_dtypes.bfloat16,
    np.int8,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
]


@TARGETS
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("prim", ["cumsum", "cumprod"])
def test_types(target: Target, dtype: Any, prim: str) -> None:
    rng = np.random.default_rng(2)
    for shape, axis in (((5, 9), 1), ((6, 20), 0), ((3, 1050), 0)):
        check(rng.integers(1, 4, shape).astype(dtype), target, axis=axis, prim=prim)


@TARGETS
def test_views_are_made_dense(target: Target) -> None:
    x = np.random.default_rng(3).standard_normal((6, 5, 8)).astype(np.float32)

    def build(v: Value) -> list[Value]:
        moved = v.transpose(2, 0, 1).slice((1, 0, 0), (7, 6, 4))
        return [
            make("cumsum", (moved,), {"axis": 1, "exclusive": False, "reverse": True}, v.dtype, moved.shape)
        ]

    (got,) = native(graph_of(build, [x]), target, [x])
    (expected,) = reference(build, [x])
    assert_close(got, expected.astype(np.float32), 6)


def test_each_kind_of_scan_has_a_kernel_of_its_own() -> None:
    symbols = set()
    for prim in ("cumsum", "cumprod"):
        for exclusive in (False, True):
            attrs = {"axis": 1, "exclusive": exclusive, "reverse": False}
            (call,) = calls_of(
                scan_calls,
                lambda v, p=prim, a=attrs: [make(p, (v,), a, v.dtype, v.shape)],
                [np.zeros((2, 3))],
            )
            symbols.add(call.symbol)
    assert len(symbols) == 4
