"""Native pooling over regions against its meaning in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.errors import RunError
from sardonyx.kernels.numeric.region import region_calls
from sardonyx.ops.onnx.pool import max_roi_pool, roi_align
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native, natives, reference
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)


def drawn(channels: int, regions: int) -> tuple[Array, Array, Array]:
    """Two images, regions partly outside of them, and the image of each region."""
    rng = np.random.default_rng(channels * 10 + regions)
    x = rng.standard_normal((2, channels, 9, 7)).astype(np.float32)
    first = rng.random((regions, 2)) * 12 - 4
    rois = np.concatenate([first, first + rng.random((regions, 2)) * 12 - 2], 1).astype(np.float32)
    return x, rois, rng.integers(0, 2, regions)


@TARGETS
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("place", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align(target: Target, mode: str, place: str, ratio: int) -> None:
    how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": place, "sampling_ratio": ratio}
    for channels, regions in ((1, 1), (4, 3), (6, 5), (3, 0)):
        arrays = drawn(channels, regions)

        def build(*values: Any) -> list[Any]:
            return [roi_align(*values, output_height=3, output_width=2, spatial_scale=0.7, **how)]

        (expected,) = reference(build, arrays)
        for (got,) in natives(graph_of(build, arrays), target, [guarded(a) for a in arrays], (1, 2)):
            assert_close(got, expected.astype(np.float32), 8)


@TARGETS
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_samples_that_are_not_finite(target: Target, mode: str) -> None:
    x = np.ones((1, 1, 4, 6), np.float32)
    x[0, 0, 0, 0], x[0, 0, 1, 4], x[0, 0, 3, 2] = np.nan, np.inf, np.nan
    # Samples on pixels alone, between pixels, far outside, and partly so.
    rois = np.array([[0, 0, 6, 4], [0.5, 0.5, 6.5, 4.5], [-9, -9, -8, -8], [-1, -1, 5, 3]], np.float32)
    arrays = [x, rois, np.zeros(4, np.int64)]
    how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": "half_pixel", "sampling_ratio": 1}

    def build(*values: Any) -> list[Any]:
        return [roi_align(*values, output_height=4, output_width=6, **how)]

    (got,) = native(graph_of(build, arrays), target, [guarded(a) for a in arrays], 2)
    (expected,) = reference(build, arrays)
    assert np.array_equal(got, expected.astype(np.float32), equal_nan=True)
    assert np.array_equal(got[0], x[0], equal_nan=True)
    assert np.isnan(got[1, 0, 2:, 1:3]).all()
    assert np.isfinite(got[2]).all()


@TARGETS
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_samples_on_the_edge_of_a_picture(target: Target, mode: str) -> None:
    """One of the two of the last cell lies there, if its place is not rounded on the way."""
    x = np.ones((1, 1, 1, 5), np.float32)
    arrays = [x, np.array([[2.375, 0, 5.875, 1], [1.25, 0, 6.25, 1]], np.float32), np.zeros(2, np.int64)]
    how: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": "output_half_pixel"}

    def build(*values: Any) -> list[Any]:
        return [roi_align(*values, output_width=3, sampling_ratio=2, **how)]

    (got,) = native(graph_of(build, arrays), target, [guarded(a) for a in arrays])
    for y in (got, *reference(build, arrays)):
        assert y[..., 2].ravel().tolist() == [0.5 if mode == "avg" else 1] * 2


@TARGETS
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_max_roi_pool(target: Target, scale: float) -> None:
    for channels, regions in ((1, 2), (5, 4)):
        x, rois, batch = drawn(channels, regions)
        x[0, 0, 3, 3] = np.nan
        arrays = [x, np.concatenate([batch[:, None], rois], 1).astype(np.float32)]

        def build(*values: Any) -> list[Any]:
            return [max_roi_pool(*values, pooled_shape=(2, 3), spatial_scale=scale)]

        graph = graph_of(build, arrays)
        (got,) = native(graph, target, [guarded(a) for a in arrays], 2)
        (expected,) = [y.astype(np.float32) for y in reference(build, arrays)]
        assert np.array_equal(got, expected, equal_nan=True)


@TARGETS
@pytest.mark.parametrize("cells", [7, 11, 13])
def test_cells_end_at_whole_pixels(target: Target, cells: int) -> None:
    """Where a quotient of floats, multiplied, would lie a little beyond the pixel."""
    widths = np.arange(1, 129)
    x = np.arange(128, dtype=np.float32).reshape(1, 1, 1, 128)
    rois = np.zeros((128, 5), np.float32)
    rois[:, 3] = widths - 1
    graph = graph_of(lambda *values: [max_roi_pool(*values, pooled_shape=(1, cells))], [x, rois])
    (got,) = native(graph, target, [guarded(x), guarded(rois)])
    ends = -(-np.outer(widths, np.arange(1, cells + 1)) // cells)
    assert np.array_equal(got[:, 0, 0] + 1, ends)


@TARGETS
@pytest.mark.parametrize("image", [-1, 2])
def test_images_that_are_missing(target: Target, image: int) -> None:
    x, rois, batch = drawn(2, 3)
    batch[1] = image
    graph = graph_of(lambda *values: [roi_align(*values)], [x, rois, batch])
    with pytest.raises(RunError, match="out of range"):
        native(graph, target, [x, rois, batch])


@TARGETS
def test_bad_numbers_stay_inside(target: Target) -> None:
    x, rois, batch = drawn(2, 4)
    rois[0], rois[1, 2], rois[2, 0] = np.nan, 1e30, -np.inf
    rois[3] = [0, 0, 1e4, 3]
    graph = graph_of(lambda *values: [roi_align(*values, sampling_ratio=2)], [x, rois, batch])
    native(graph, target, [guarded(x), guarded(rois), batch])
    pooled = np.concatenate([batch[:, None], rois], 1).astype(np.float32)
    graph = graph_of(lambda *values: [max_roi_pool(*values, pooled_shape=(2, 2))], [x, pooled])
    native(graph, target, [guarded(x), guarded(pooled)])


def test_each_kind_of_pool_has_a_kernel_of_its_own() -> None:
    arrays = drawn(3, 4)
    symbols = []
    for mode in ("avg", "max"):
        (call,) = calls_of(region_calls, lambda *v, m=mode: [roi_align(*v, mode=m)], arrays)
        symbols.append(call.symbol)
    rois = np.zeros((4, 5), np.float32)
    (call,) = calls_of(region_calls, lambda *v: [max_roi_pool(*v, pooled_shape=(2, 2))], [arrays[0], rois])
    assert len({*symbols, call.symbol}) == 3
