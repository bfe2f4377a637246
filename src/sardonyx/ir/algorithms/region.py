"""Regions given as data: max_roi_pool, roi_align, and col2im by blocks of any size, as numpy algorithms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sardonyx.ir.obligation import Obligation, Operation, alike, same
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def max_roi_pool(x: Array, rois: Array, *, pooled: Sequence[int], scale: float) -> Array:
    """Maximum of each cell of a grid over each region (batch, x1, y1, x2, y2), whose corners are rounded.

    Cells without a pixel are 0.
    """
    rows, columns = pooled
    height, width = x.shape[2:]
    y = np.zeros((rois.shape[0], x.shape[1], rows, columns), dtype=x.dtype)
    for r, roi in enumerate(rois):
        batch = int(roi[0])
        x1, y1, x2, y2 = (int(_half_away(v * scale)) for v in roi[1:])
        tall, wide = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for i, j in np.ndindex(rows, columns):
            top, bottom = _clip(i * tall // rows + y1, height), _clip(-(-(i + 1) * tall // rows) + y1, height)
            left, right = (
                _clip(j * wide // columns + x1, width),
                _clip(-(-(j + 1) * wide // columns) + x1, width),
            )
            if bottom > top and right > left:
                y[r, :, i, j] = x[batch, :, top:bottom, left:right].max(axis=(1, 2))
    return y


def _half_away(v: float) -> float:
    return float(np.floor(abs(v) + 0.5) * np.sign(v))


def _clip(v: float, limit: int) -> int:
    return int(min(max(v, 0), limit))


def sampled(
    start: float, length: float, cells: int, samples: int, n: int
) -> tuple[Array, Array, Array, Array]:
    """Lower and upper element, weight of the upper one and validity of every sample along one axis."""
    total = cells * samples
    place = start + (2 * np.arange(total) + 1) * length / (2 * total)
    valid = (place >= -1) & (place <= n)
    place = np.maximum(place, 0)
    low = np.minimum(place.astype(np.int64), n - 1)
    high = np.minimum(low + 1, n - 1)
    return low, high, np.where(low >= n - 1, 0, place - low), valid


def roi_align(
    x: Array,
    rois: Array,
    batch: Array,
    *,
    pooled: Sequence[int],
    scale: float,
    ratio: int,
    offset: float,
    mode: str,
) -> Array:
    """Mean or maximum of interpolated samples in each cell of a grid over each region (x1, y1, x2, y2)."""
    rows, columns = pooled
    height, width = x.shape[2:]
    y = np.zeros((rois.shape[0], x.shape[1], rows, columns), dtype=x.dtype)
    for r, roi in enumerate(rois.astype(np.float64)):
        x1, y1, x2, y2 = roi * scale - offset
        wide, tall = x2 - x1, y2 - y1
        if offset == 0:
            wide, tall = max(wide, 1.0), max(tall, 1.0)
        down = ratio if ratio > 0 else int(np.ceil(tall / rows))
        across = ratio if ratio > 0 else int(np.ceil(wide / columns))
        if down < 1 or across < 1:
            continue
        top, bottom, fy, vy = sampled(y1, tall, rows, down, height)
        left, right, fx, vx = sampled(x1, wide, columns, across, width)
        plane = x[int(batch[r])].astype(np.float64)
        valid = vy[:, None] & vx
        parts = [
            _weighed(plane[:, a[:, None], b], np.where(valid, wa[:, None] * wb, 0))
            for a, wa in ((top, 1 - fy), (bottom, fy))
            for b, wb in ((left, 1 - fx), (right, fx))
        ]
        samples = np.maximum.reduce(parts) if mode == "max" else np.add.reduce(parts)
        cells = samples.reshape(-1, rows, down, columns, across)
        y[r] = cells.max(axis=(2, 4)) if mode == "max" else cells.mean(axis=(2, 4))
    return y


def _weighed(pixels: Array, weights: Array) -> Array:
    """What pixels count; those without weight nothing, whatever they are."""
    return np.where(weights == 0, 0, pixels * weights)


def col2im(
    x: Array,
    *,
    kernel: Sequence[int],
    positions: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    low: Sequence[int],
    out: Sequence[int],
) -> Array:
    """Add the columns of blocks x[n, channel * tap, position] up to images of size `out`."""
    images, channels = x.shape[0], x.shape[1] // int(np.prod(kernel))
    wide = x if x.dtype.kind in "iu" else x.astype(np.float64)
    columns = wide.reshape(images, channels, *kernel, *positions)
    y = np.zeros((images, channels, *out), wide.dtype)
    for tap in np.ndindex(*kernel):
        read, written = [slice(None)] * 2, [slice(None)] * 2
        for t, count, stride, gap, first, size in zip(
            tap, positions, strides, dilations, low, out, strict=True
        ):
            at = t * gap - first
            begin, end = max(-(at // stride), 0), min(-((at - size) // stride), count)
            read.append(slice(begin, max(begin, end)))
            start = at + begin * stride
            written.append(slice(start, start + max(end - begin, 0) * stride, stride))
        y[tuple(written)] += columns[(slice(None), slice(None), *tap)][tuple(read)]
    return y.astype(x.dtype)


def _regions(value: Operation, where: str) -> Iterator[Obligation]:
    rows = value.args[1].shape
    yield from same(rows[1], 4 if value.prim == "roi_align" else 5, f"{where}: a region has a wrong size")
    for images in value.args[2:]:
        yield from alike(images, rows[:1], f"{where}: regions and batch indices differ in number")


register("col2im", "opaque", col2im, dense=True)
register("max_roi_pool", "opaque", max_roi_pool, conditions=_regions, dense=True)
register("roi_align", "opaque", roi_align, conditions=_regions, dense=True)
