"""Pooling: windows of a padded tensor and their maximum, mean or norm; regions of interest.

Everything is pad + window + reduce, except RoiAlign and MaxRoiPool, whose windows depend on data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, const, dim_value, iota, make, scalar
from sardonyx.ops.demands import ANY, ranked
from sardonyx.ops.operands import sizes
from sardonyx.ops.precision import widened
from sardonyx.ops.table import Node, op
from sardonyx.ops.window import SLIDING, Ints, Sliding, Window

_MOST_SAMPLES = 4096

_LARGE = 2
"""A window whose elements are more than so many times those that are read axis by axis is a large one."""


def _lowest(dtype: DType) -> Value:
    if dtype.is_float:
        return scalar(-np.inf, dtype)
    return scalar(np.iinfo(dtype.numpy).min, dtype)


def windows_of(x: Value, window: Window, fill: Value | None) -> Value:
    """[n, c, *positions, *offsets]."""
    padded = x.pad((0, 0, *window.low), (0, 0, *window.high), fill)
    kernel = [k for k in window.kernel if isinstance(k, int)]
    views = padded.window(range(2, x.rank), kernel, window.strides, window.dilations)
    return views.slice((0,) * views.rank, (*x.shape[:2], *window.out, *kernel))


def _pooled(y: Value, rank: int) -> Value:
    return y.reshape(y.shape[:rank])


def pool(x: Value, window: Window, prim: str, fill: Value | None = None) -> Value:
    """A reduction over every window of the padded tensor."""
    views = windows_of(x, window, fill)
    return _pooled(views.reduce(prim, range(x.rank, views.rank)), x.rank)


def _largest(x: Value, window: Window) -> Value:
    """The maximum of every window: of large ones axis by axis, which reads an element for each line of it."""
    fill, *axes = _lowest(x.dtype), *reversed(range(len(window.kernel)))
    kernel = [k for k in window.kernel if isinstance(k, int)]
    apart = sum(kernel[a] * math.prod(window.strides[:a]) for a in axes)
    if len(axes) == 1 or math.prod(kernel) <= _LARGE * apart:
        return pool(x, window, "rmax", fill)
    for axis in axes:
        x = pool(x, window.along(axis, x.shape[2:]), "rmax", fill)
    return x


@op("MaxPool")
def max_pool(
    x: Value,
    *,
    kernel_shape: Ints,
    ceil_mode: int = 0,
    moves: Sliding = SLIDING,
    storage_order: int = 0,
    node: Node | None = None,
) -> tuple[Value | None, ...]:
    """Maximum of every window, and where in the flattened input it was found."""
    window = Window.of(x.shape[2:], kernel_shape, moves, ceil_mode, cut=True)
    y = _largest(x, window)
    if node is None or len(node.outputs) < 2 or not node.outputs[1]:
        return (y,)
    return y, _max_indices(x, window, bool(storage_order))


def _max_indices(x: Value, window: Window, column_major: bool) -> Value:
    rank = x.rank - 2
    views = windows_of(x, window, _lowest(x.dtype))
    if window.padded:
        # Outside is as small as an element can be, and would be found first.
        largest = views.reduce_max(*range(x.rank, views.rank))
        hits = views.eq(largest)
        hits = hits.logical_or(views.unary("isnan")) if x.dtype.is_float else hits
        views = hits.logical_and(_inside(x, window)).cast(dt.I32)
    taps = int(np.prod([k for k in window.kernel if isinstance(k, int)]))
    lead = views.shape[: x.rank]
    best = make(
        "argmax", (views.reshape((*lead, taps)),), {"axis": x.rank, "last": False}, dt.I64, (*lead, 1)
    ).reshape(lead)
    offsets = np.stack(np.unravel_index(np.arange(taps), [k for k in window.kernel if isinstance(k, int)]))
    plane: Value = scalar(0, dt.I64)
    order = range(rank - 1, -1, -1) if column_major else range(rank)
    for a in order:
        shape = tuple(window.out[a] if b == a + 2 else 1 for b in range(x.rank))
        tap = const(offsets[a] * window.dilations[a]).gather(best, 0)
        at = iota(shape, a + 2, dt.I64) * window.strides[a] - dim_value(window.low[a], dt.I64) + tap
        plane = plane * dim_value(x.shape[2 + a], dt.I64) + at
    n, c = x.shape[0], x.shape[1]
    ones = (1,) * rank
    channel = iota((n, 1, *ones), 0, dt.I64) * dim_value(c, dt.I64) + iota((1, c, *ones), 1, dt.I64)
    return channel * dim_value(dims.product(x.shape[2:]), dt.I64) + plane


def _inside(x: Value, window: Window) -> Value:
    """Whether a tap of a window lies inside of x: bool [1, 1, *positions, *offsets]."""
    rank, found = x.rank - 2, scalar(True, dt.BOOL)
    for a, kernel in enumerate(window.kernel):
        shape: list[Dim] = [1] * (2 + 2 * rank)
        shape[2 + a], shape[2 + rank + a] = window.out[a], kernel
        first = iota(shape, 2 + a, dt.I64) * window.strides[a] - dim_value(window.low[a], dt.I64)
        at = first + iota(shape, 2 + rank + a, dt.I64) * window.dilations[a]
        below = at.lt(dim_value(x.shape[2 + a], dt.I64))
        found = found.logical_and(scalar(0, dt.I64).le(at).logical_and(below))
    return found


def _tap_counts(x: Value, window: Window, sizes: Sequence[Dim], low: Sequence[Dim]) -> Value:
    """How many taps of each window lie inside axes of these sizes, which begin `low` after the windows."""
    total: Value | None = None
    for a, kernel in enumerate(window.kernel):
        if low[a] == 0 and (window.out[a] - 1) * window.strides[a] + _extent(window, a) == sizes[a]:
            count = scalar(kernel if isinstance(kernel, int) else 0, x.dtype).reshape((1,) * x.rank)
        else:
            table = (window.out[a], kernel)
            at = (
                iota(table, 0, dt.I64) * window.strides[a]
                + iota(table, 1, dt.I64) * window.dilations[a]
                - dim_value(low[a], dt.I64)
            )
            inside = scalar(0, dt.I64).le(at).logical_and(at.lt(dim_value(sizes[a], dt.I64)))
            shape = tuple(window.out[a] if b == a + 2 else 1 for b in range(x.rank))
            count = inside.cast(x.dtype).sum(1).reshape(shape)
        total = count if total is None else total * count
    assert total is not None
    return total


def _extent(window: Window, a: int) -> Dim:
    return (window.kernel[a] - 1) * window.dilations[a] + 1


@op("AveragePool")
def average_pool(
    x: Value,
    *,
    kernel_shape: Ints,
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    moves: Sliding = SLIDING,
) -> Value:
    """Mean of every window over its elements, pads counted if `count_include_pad`."""
    window = Window.of(x.shape[2:], kernel_shape, moves, ceil_mode, cut=True)
    dtype, x = x.dtype, widened(x)
    total = pool(x, window, "sum")
    spatial = x.shape[2:]
    if not window.padded or (count_include_pad and not window.past_pads):
        return (total / float(np.prod(kernel_shape))).cast(dtype)
    if not count_include_pad:
        return (total / _tap_counts(x, window, spatial, window.low)).cast(dtype)
    sizes = [n + lo + hi for n, lo, hi in zip(spatial, window.low, window.asked, strict=True)]
    return (total / _tap_counts(x, window, sizes, (0,) * len(spatial))).cast(dtype)


def _power_sum(x: Value, p: float, total: Callable[[Value], Value]) -> Value:
    """sum(|x|^p)^(1/p)."""
    if p == 1:
        return total(x.abs())
    if p == 2:
        return total(x * x).sqrt()
    return total(x.abs().pow(p)).pow(1.0 / p)


@op("LpPool")
def lp_pool(
    x: Value,
    *,
    kernel_shape: Ints = (),
    ceil_mode: int = 0,
    moves: Sliding = SLIDING,
    p: float = 2.0,
) -> Value:
    """sum(|x|^p)^(1/p) of every window."""
    window = Window.of(x.shape[2:], kernel_shape, moves, ceil_mode, cut=True)
    return _power_sum(widened(x), p, lambda y: pool(y, window, "sum")).cast(x.dtype)


@op("GlobalAveragePool")
def global_average_pool(x: Value) -> Value:
    """Mean over all spatial axes, which stay as 1."""
    ranked(x, "the input", 3, ANY)
    return widened(x).mean(*range(2, x.rank)).cast(x.dtype)


@op("GlobalMaxPool")
def global_max_pool(x: Value) -> Value:
    """Maximum over all spatial axes, which stay as 1."""
    ranked(x, "the input", 3, ANY)
    return x.reduce_max(*range(2, x.rank))


@op("GlobalLpPool")
def global_lp_pool(x: Value, *, p: float = 2.0) -> Value:
    """sum(|x|^p)^(1/p) over all spatial axes, which stay as 1."""
    ranked(x, "the input", 3, ANY)
    return _power_sum(widened(x), p, lambda y: y.sum(*range(2, x.rank))).cast(x.dtype)


@op("MaxUnpool", since=9)
def max_unpool(
    x: Value,
    indices: Value,
    output_shape: Value | None = None,
    *,
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Value:
    """Put every maximum back where MaxPool found it (a flat index); zeros elsewhere."""
    rank = x.rank - 2
    steps = tuple(strides) or (1,) * rank
    borders = tuple(pads) or (0,) * (2 * rank)
    inferred: tuple[Dim, ...] = (
        *x.shape[:2],
        *(
            (x.shape[2 + a] - 1) * steps[a] - borders[a] - borders[a + rank] + kernel_shape[a]
            for a in range(rank)
        ),
    )
    zeros = scalar(0, x.dtype).broadcast((dims.product(inferred),))
    args = (zeros, indices.reshape((x.size,)), x.reshape((x.size,)))
    flat = make("scatter_elements", args, {"axis": 0, "reduction": "none"}, x.dtype, zeros.shape)
    y = flat.reshape(inferred)
    if output_shape is None:
        return y
    shape = sizes(output_shape, "the output shape")
    return y.pad((0,) * x.rank, [a - b for a, b in zip(shape, inferred, strict=True)])


@op("MaxRoiPool")
def max_roi_pool(x: Value, rois: Value, *, pooled_shape: Ints, spatial_scale: float = 1.0) -> Value:
    """Maximum of each cell of a grid laid over each region (batch, x1, y1, x2, y2)."""
    if rois.rank != 2 or x.rank != 4 or len(pooled_shape) != 2:
        raise ShapeError(f"regions need shape [R, 5] and images rank 4: {list(rois.shape)}, {list(x.shape)}")
    shape = (rois.shape[0], x.shape[1], *pooled_shape)
    attrs = {"pooled": tuple(pooled_shape), "scale": spatial_scale}
    return make("max_roi_pool", (x, rois), attrs, x.dtype, shape)


@op("RoiAlign", since=10)
def roi_align_10(
    x: Value,
    rois: Value,
    batch_indices: Value,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Value:
    """RoiAlign whose pixel centres lie at whole numbers."""
    return roi_align(
        x,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@op("RoiAlign", since=16)
def roi_align(
    x: Value,
    rois: Value,
    batch_indices: Value,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Value:
    """Mean or maximum of interpolated samples in each cell of a grid laid over each region."""
    if rois.rank != 2 or x.rank != 4:
        raise ShapeError(f"regions need shape [R, 4] and images rank 4: {list(rois.shape)}, {list(x.shape)}")
    if sampling_ratio > _MOST_SAMPLES:
        raise ShapeError(
            f"sampling_ratio {sampling_ratio} is more than {_MOST_SAMPLES}, the most there may be"
        )
    if mode not in ("avg", "max"):
        raise UnsupportedOp(f"mode={mode!r}")
    attrs = {
        "pooled": (output_height, output_width),
        "scale": spatial_scale,
        "ratio": sampling_ratio,
        "offset": 0.5 if coordinate_transformation_mode == "half_pixel" else 0.0,
        "mode": mode,
    }
    shape = (rois.shape[0], x.shape[1], output_height, output_width)
    return make("roi_align", (x, rois, batch_indices), attrs, x.dtype, shape)
