"""Means over regions by weights of rows and columns against their meaning in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.numeric.region import region_calls
from sardonyx.kernels.numeric.region_mean import mean_bytes
from sardonyx.ops.onnx.pool import roi_align
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import graph_of, native, natives, reference
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


@TARGETS
@pytest.mark.parametrize("ratio", [0, 3])
@pytest.mark.parametrize("size", [(20, 37), (3, 1)])
def test_means_of_many_channels_and_cells(target: Target, ratio: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 67, *size))
    first = rng.random((5, 2)) * 40 - 10
    rois = np.concatenate([first, first + rng.random((5, 2)) * [60, 30] - 5], 1)
    for dtype in (np.float32, np.float64):
        arrays = [x.astype(dtype), rois.astype(dtype), np.array([1, 0, 1, 1, 0])]

        def build(*values: Any) -> list[Any]:
            return [roi_align(*values, output_height=4, output_width=21, sampling_ratio=ratio)]

        (expected,) = reference(build, arrays)
        for (got,) in natives(graph_of(build, arrays), target, [guarded(a) for a in arrays], (1, 3)):
            assert_close(got, expected.astype(dtype), 64)


@TARGETS
def test_means_are_spoilt_by_no_pixel_that_no_sample_sees(target: Target) -> None:
    x = np.ones((1, 2, 8, 40), np.float32)
    x[0, 0, 4, 17], x[0, 1, 0] = np.nan, np.inf
    rois = np.array([[1, 1.5, 39, 6.5]], np.float32)

    def build(*values: Any) -> list[Any]:
        return [roi_align(*values, output_height=5, output_width=19, sampling_ratio=1)]

    arrays = [x, rois, np.zeros(1, np.int64)]
    (got,), (expected,) = native(graph_of(build, arrays), target, arrays), reference(build, arrays)
    assert np.isnan(expected).sum() < 10
    np.testing.assert_array_equal(got, expected.astype(np.float32))


@TARGETS
def test_regions_of_images_without_pixels_are_zero(target: Target) -> None:
    for size in ((0, 5), (5, 0)):
        arrays = [
            np.zeros((1, 3, *size), np.float32),
            np.ones((2, 4), np.float32) * [0, 0, 3, 3],
            np.zeros(2, int),
        ]
        arrays[1] = arrays[1].astype(np.float32)
        graph = graph_of(
            lambda *v: [roi_align(*v, output_height=2, output_width=2, sampling_ratio=2)], arrays
        )
        (got,) = native(graph, target, arrays)
        np.testing.assert_array_equal(got, np.zeros((2, 3, 2, 2)))


def test_means_have_memory_for_both_weights_and_what_rows_become() -> None:
    arrays = [np.zeros((2, 3, 9, 7), np.float32), np.zeros((4, 4), np.float32), np.zeros(4, np.int64)]
    cells = {"output_height": 5, "output_width": 6}
    for mode, least in (("avg", 4 * (5 * 9 + 7 * 6 + 4 * 7)), ("max", 0)):
        (call,) = calls_of(region_calls, lambda *v, m=mode: [roi_align(*v, mode=m, **cells)], arrays)
        assert isinstance(call.scratch_bytes, int)
        assert call.scratch_bytes >= least
        assert (call.scratch_bytes == 0) == (mode == "max")
    assert mean_bytes(isa.V3, (9, 7), (5, 6)) < mean_bytes(isa.V4, (9, 7), (5, 6))
