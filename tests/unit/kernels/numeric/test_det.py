"""Native determinants against numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base.target import Target
from sardonyx.errors import ShapeError
from sardonyx.ir.unproven import unproven
from sardonyx.kernels.numeric.det import det_calls
from sardonyx.ops.onnx.linear import det
from sardonyx.targets import detect
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import graph_of, native, natives
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


@TARGETS
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5, 5), (2, 2, 17, 17), (1, 0, 0), (0, 3, 3)])
def test_shapes(target: Target, dtype: Any, shape: tuple[int, ...]) -> None:
    x = (np.random.default_rng(1).standard_normal(shape) / 2).astype(dtype)
    expected = np.asarray(np.linalg.det(x.astype(np.float64))).astype(dtype)
    for (got,) in natives(graph_of(lambda v: [det(v)], [x]), target, [guarded(x)], (1, 2)):
        assert_close(got, expected, shape[-1] ** 2)


@TARGETS
def test_special_matrices(target: Target) -> None:
    x = np.zeros((5, 3, 3))
    x[1] = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    x[2] = [[1, 2, 3], [2, 4, 6], [0, 0, 1]]
    x[3] = np.nan
    x[4] = np.diag([2, 3, 4])
    (got,) = native(graph_of(lambda v: [det(v)], [x]), target, [x])
    assert np.array_equal(got, [0, -1, 0, np.nan, 24], equal_nan=True)


def test_matrices_must_be_square() -> None:
    with pytest.raises(ShapeError, match="square"):
        graph_of(lambda v: [det(v)], [np.zeros((2, 3))])
    rows, columns = dims.symbol("n"), dims.symbol("m")
    graph = graph_of(lambda v: [det(v)], [np.zeros((2, 2))], sizes=[(rows, columns)])
    assert any("square" in o.message for o in unproven(graph))


def test_the_matrix_is_copied_to_scratch() -> None:
    (call,) = calls_of(det_calls, lambda v: [det(v)], [np.zeros((5, 7, 7), np.float32)])
    assert call.scratch_bytes == 7 * (7 + detect().lanes) * 8
    assert call.plan == "5 matrices of 7 x 7"
