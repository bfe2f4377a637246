"""Native inverses against numpy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.numeric.inverse import inverse_calls
from sardonyx.ops.microsoft.tensor import inverse
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
    x = np.random.default_rng(1).standard_normal(shape) / 2 + 4 * np.eye(shape[-1])
    x = np.flip(x, -2).astype(dtype)
    expected = np.asarray(np.linalg.inv(x.astype(np.float64))).astype(dtype)
    for (got,) in natives(graph_of(lambda v: [inverse(v)], [x]), target, [guarded(x)], (1, 2)):
        assert_close(got, expected, shape[-1] ** 2)


@TARGETS
def test_a_singular_matrix_has_no_finite_inverse(target: Target) -> None:
    x = np.stack([np.ones((3, 3)), np.eye(3)])
    (got,) = native(graph_of(lambda v: [inverse(v)], [x]), target, [x])
    assert not np.isfinite(got[0]).all()
    assert np.array_equal(got[1], np.eye(3))


def test_the_matrix_lies_beside_its_inverse_in_scratch() -> None:
    (call,) = calls_of(inverse_calls, lambda v: [inverse(v)], [np.zeros((7, 7), np.float32)])
    assert call.scratch_bytes == 7 * (2 * 7 + detect().lanes) * 8
