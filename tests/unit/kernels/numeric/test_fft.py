"""Native Fourier transforms against numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.algorithms import linalg
from sardonyx.ir.value import Value, make
from sardonyx.kernels.numeric.fft import Transform, fft_calls
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native, program_of
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def check(x: Array, target: Target, length: int, *, inverse: bool, onesided: bool, threads: int = 1) -> None:
    """The native transform is that of the reference."""
    real = inverse and onesided
    bins = length // 2 + 1 if onesided and not inverse else length
    attrs: dict[str, Any] = {"length": length, "bins": bins, "inverse": inverse, "real": real}

    def build(v: Value) -> list[Value]:
        return [make("fft", (v,), attrs, v.dtype, (*v.shape[:-2], bins, 1 if real else 2))]

    (got,) = native(graph_of(build, [x]), target, [guarded(x)], threads)
    expected = linalg.fft(x.astype(np.float64), **attrs)
    assert_close(got, expected.astype(x.dtype), 16)


@TARGETS
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 12, 16, 31, 64, 100, 128, 1000, 1024])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("onesided", [False, True])
def test_lengths(target: Target, length: int, inverse: bool, onesided: bool) -> None:
    rng = np.random.default_rng(length)
    given = length // 2 + 1 if inverse and onesided else length
    for parts in (1, 2):
        x = rng.standard_normal((3, given, parts)).astype(np.float32)
        check(x, target, length, inverse=inverse, onesided=onesided, threads=parts)


@TARGETS
@pytest.mark.parametrize("given", [1, 5, 40])
@pytest.mark.parametrize("inverse", [False, True])
def test_signals_are_cut_or_padded(target: Target, given: int, inverse: bool) -> None:
    x = np.random.default_rng(given).standard_normal((2, 2, given, 2))
    for length in (16, 21):
        check(x, target, length, inverse=inverse, onesided=False)
        check(x, target, length, inverse=inverse, onesided=True, threads=2)


@TARGETS
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_types(target: Target, dtype: Any) -> None:
    x = np.random.default_rng(4).standard_normal((2, 48, 2)).astype(dtype)
    check(x, target, 48, inverse=False, onesided=False)


@TARGETS
def test_lengths_known_at_run_time(target: Target) -> None:
    n = dims.symbol("n")

    def build(v: Value) -> list[Value]:
        attrs = {"length": n, "bins": n, "inverse": False, "real": False}
        return [make("fft", (v,), attrs, v.dtype, (2, n, 2))]

    program = program_of(graph_of(build, [np.zeros((2, 4, 1))], (), [(2, n, 1)]), target)
    for size in (4, 6, 512, 777):
        x = np.random.default_rng(size).standard_normal((2, size, 1))
        (got,) = program.run([x], [0])
        expected = linalg.fft(x, length=size, bins=size, inverse=False, real=False)
        assert_close(got, expected, size)


def test_each_kind_of_transform_has_a_kernel_of_its_own() -> None:
    kinds = [
        Transform(dt.F32, parts, way, real) for parts in (1, 2) for way, real in ((0, 0), (1, 0), (1, 1))
    ]  # type: ignore[arg-type]
    assert len({kind.symbol for kind in kinds}) == 6
    attrs = {"length": 100, "bins": 51, "inverse": False, "real": False}
    for length in (64, 100):
        attrs |= {"length": length, "bins": length // 2 + 1}
        (call,) = calls_of(
            fft_calls,
            lambda v, a=dict(attrs): [make("fft", (v,), a, v.dtype, (3, a["bins"], 2))],
            [np.zeros((3, length, 1), np.float32)],
        )
        assert call.scratch_bytes
