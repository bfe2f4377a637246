"""Places of nonzero elements in native code against numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.value import Value, make
from sardonyx.kernels.select.nonzero import nonzero_calls
from sardonyx.ops.onnx.sort import non_zero
from tests.runnable import runnable_targets
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import graph_of, native, program_of
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
SHAPES: list[tuple[int, ...]] = [(), (1,), (50,), (3, 17), (2, 3, 40), (2, 0, 3), (1, 2, 1, 5)]


@TARGETS
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_shapes(target: Target, shape: tuple[int, ...], density: float) -> None:
    x = (np.random.default_rng(1).random(shape) < density).astype(np.float32)
    (got,) = native(graph_of(lambda v: [non_zero(v)], [x]), target, [guarded(x)], 2)
    assert got.dtype == np.int64
    assert np.array_equal(got, np.stack(np.nonzero(np.atleast_1d(x))))


TYPES = [bool, np.int8, np.uint16, np.int32, np.int64, np.float16, np.float64, ml_dtypes.bfloat16]


@TARGETS
@pytest.mark.parametrize("dtype", TYPES)
def test_types(target: Target, dtype: Any) -> None:
    x = np.random.default_rng(2).integers(0, 2, (5, 23)).astype(dtype)
    (got,) = native(graph_of(lambda v: [non_zero(v)], [x]), target, [guarded(x)])
    assert np.array_equal(got, np.stack(np.nonzero(x)))


@TARGETS
def test_not_a_number_is_not_zero(target: Target) -> None:
    x = np.array([0, np.nan, -0.0, 1], np.float32)
    (got,) = native(graph_of(lambda v: [non_zero(v)], [x]), target, [x])
    assert got.tolist() == [[1, 3]]


@TARGETS
def test_sizes_are_read_in_every_run(target: Target) -> None:
    graph = graph_of(lambda v: [non_zero(v), non_zero(v * 2)], [np.zeros(4)], (), [(dims.symbol("n"),)])
    program = program_of(graph, target)
    for x in (np.zeros(4), np.arange(4.0), np.ones(9)):
        first, second = program.run([x], range(2))
        assert np.array_equal(first, np.stack(np.nonzero(x)))
        assert np.array_equal(first, second)


@TARGETS
def test_keys_differ(target: Target) -> None:
    def build(_: Value) -> list[Value]:
        return [make("random_key", (), {"stream": name}, dt.U32, ()) for name in ("a", "b")]

    program = program_of(graph_of(build, [np.zeros(1)]), target)
    keys = {int(key) for _ in range(20) for key in program.run([np.zeros(1)], range(2))}
    assert len(keys) == 40


def test_a_scalar_has_one_axis() -> None:
    def build(v: Value) -> list[Value]:
        return [make("nonzero", (v,), {"count": 1}, dt.I64, (max(1, v.rank), 1))]

    for shape, words in (((), 5), ((4,), 5), ((2, 3), 6)):
        (call,) = calls_of(nonzero_calls, build, [np.zeros(shape, np.float32)])
        assert len(call.words) == words, "the sizes come after four words"
