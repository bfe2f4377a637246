"""Native probabilities of classes from those of pairs against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.svm import pairwise_coupling
from sardonyx.ir.value import Value, make
from sardonyx.kernels.trees.coupling import coupling_calls
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import graph_of, native
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
Array = np.ndarray[Any, Any]


def coupled(target: Target, x: Array, classes: int, threads: int = 1) -> Array:
    kind = dt.F64 if x.dtype == np.float64 else dt.F32
    graph = graph_of(lambda v: [make("pairwise_coupling", (v,), {}, kind, (v.shape[0], classes))], [x])
    (got,) = native(graph, target, [guarded(x)], threads)
    return np.asarray(got)


@TARGETS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("rows", "classes"), [(1, 2), (7, 3), (8, 4), (9, 5), (33, 10), (2, 120)])
def test_shapes(target: Target, dtype: Any, threads: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(rows)
    x = np.clip(rng.random((rows, classes * (classes - 1) // 2)), 1e-7, 1 - 1e-7).astype(dtype)
    assert_close(coupled(target, x, classes, threads), pairwise_coupling(x), classes)


@TARGETS
def test_rows_know_nothing_of_each_other(target: Target) -> None:
    x = np.random.default_rng(0).random((8, 3))
    x[3] = np.nan
    x[5] = 1e-7
    got = coupled(target, x, 3)
    assert np.isnan(got[3]).all()
    for row in (0, 4, 5, 7):
        np.testing.assert_array_equal(got[row : row + 1], coupled(target, x[row : row + 1], 3))
    assert_close(np.delete(got, 3, 0), pairwise_coupling(np.delete(x, 3, 0)), 3)


def test_every_lane_has_a_matrix_in_scratch() -> None:
    def build(v: Value) -> list[Value]:
        return [make("pairwise_coupling", (v,), {}, dt.F32, (9, 4))]

    (call,) = calls_of(coupling_calls, build, [np.zeros((9, 6), np.float32)])
    assert isinstance(call.scratch_bytes, int)
    assert call.scratch_bytes % (6 * 4 * 8) == 0, "classes + 2 rows of classes doubles a lane"
    assert call.plan == "4 classes in 9 rows"
