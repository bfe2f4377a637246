"""Blocks of sizes known at run time added up to images, in native code, against numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.errors import RunError
from sardonyx.ir.algorithms import region
from sardonyx.ir.value import Value, make
from sardonyx.kernels.convolution.col2im import col2im_calls
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)

CASES: list[dict[str, tuple[int, ...]]] = [
    {"kernel": (1,), "positions": (5,), "strides": (1,), "dilations": (1,), "low": (0,), "out": (5,)},
    {
        "kernel": (2, 3),
        "positions": (4, 5),
        "strides": (1, 2),
        "dilations": (2, 1),
        "low": (1, 0),
        "out": (5, 11),
    },
    {
        "kernel": (2, 1, 2),
        "positions": (2, 3, 2),
        "strides": (2, 1, 1),
        "dilations": (1, 1, 2),
        "low": (0, 1, 1),
        "out": (4, 2, 3),
    },
]


def compiled(x: Array, attrs: dict[str, tuple[int, ...]], target: Target, threads: int = 1) -> Array:
    """The native result."""
    channels = x.shape[1] // int(np.prod(attrs["kernel"]))

    def build(v: Value) -> list[Value]:
        return [make("col2im", (v,), attrs, v.dtype, (v.shape[0], channels, *attrs["out"]))]

    (y,) = native(graph_of(build, [x]), target, [guarded(x)], threads)
    return y


@TARGETS
@pytest.mark.parametrize("attrs", CASES, ids=lambda a: "x".join(map(str, a["out"])))
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("threads", [1, 2])
def test_ranks(target: Target, attrs: dict[str, tuple[int, ...]], dtype: Any, threads: int) -> None:
    taps, columns = int(np.prod(attrs["kernel"])), int(np.prod(attrs["positions"]))
    x = np.random.default_rng(1).integers(-4, 5, (2, 3 * taps, columns)).astype(dtype)
    expected = region.col2im(x.astype(np.float64), **attrs)
    assert_close(compiled(x, attrs, target, threads), expected.astype(dtype), taps)


@TARGETS
def test_columns_that_are_missing(target: Target) -> None:
    with pytest.raises(RunError, match="out of range"):
        compiled(np.zeros((1, 6, 19), np.float32), CASES[1], target)


@pytest.mark.parametrize("attrs", CASES, ids=lambda a: "x".join(map(str, a["out"])))
def test_ranks_have_kernels_of_their_own(attrs: dict[str, tuple[int, ...]]) -> None:
    taps, places = int(np.prod(attrs["kernel"])), int(np.prod(attrs["positions"]))
    (call,) = calls_of(
        col2im_calls,
        lambda v: [make("col2im", (v,), attrs, v.dtype, (2, 3, *attrs["out"]))],
        [np.zeros((2, 3 * taps, places), np.float32)],
    )
    assert str(len(attrs["kernel"])) in call.symbol
