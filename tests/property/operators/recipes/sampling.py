"""Calls of operators that read between elements, and of those that choose regions and boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from tests.property.operators.definitions.regions import aligned
from tests.property.operators.definitions.resizing import ROUNDINGS, nearest
from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import Judge, formula, peer, reference
from tests.property.operators.recipe import Call, Fixed, recipe


@recipe("Resize", types="f32")
def resize(d: Draw) -> Call:
    mode = d.one_of("nearest", "linear", "cubic") if d.opset >= 11 else d.one_of("nearest", "linear")
    x = d.within((d.one_of(1, 2), d.one_of(1, 3, 16, 17), d.integer(1, 7), d.integer(1, 7)), -3, 3)
    factors = [d.one_of(2.0, 0.5, 1.0, 3.0, 1.5, 0.75) for _ in range(2)]
    scales = [1.0, 1.0, *(f if f * n >= 1 else 1.0 for f, n in zip(factors, x.shape[2:], strict=True))]
    sizes = [*x.shape[:2], d.integer(1, 12), d.integer(1, 12)]
    if mode == "nearest":
        # Scales that float32 holds exactly put no place between two pixels.
        sizes[2:] = [n * d.one_of(2, 1, 3) for n in x.shape[2:]]
    if d.opset < 11:
        return Call([x, Fixed(np.array(scales, np.float32))], 1, peer, 4, 10.0, mode=mode)
    attributes = _policy(d, mode)
    cropped = attributes["coordinate_transformation_mode"] == "tf_crop_and_resize"
    # Whether a size of one pixel is meant rounded is open where a scale gives a part of a pixel.
    by_size = d.flag() or cropped or attributes["coordinate_transformation_mode"] == "pytorch_half_pixel"
    roi = _roi(d) if cropped else None
    axes = [2, 3] if d.opset >= 18 and d.flag() else None
    if axes:
        attributes["axes"] = axes
        scales, sizes = scales[2:], sizes[2:]
        roi = roi if roi is None else np.concatenate([roi[2:4], roi[6:8]])
    if by_size and d.opset >= 18 and axes and d.flag():
        attributes["keep_aspect_ratio_policy"] = d.one_of("stretch", "not_larger", "not_smaller")
    whole = mode == "nearest" and by_size and not cropped
    whole = whole and attributes.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    if whole:
        sizes[-2:] = [d.integer(1, 40), d.integer(1, 40)]
    empty = np.array([], np.float32)
    corners = Fixed(empty if roi is None else roi)
    if by_size:
        how: list[Any] = [Fixed(empty) if d.opset < 13 else None, Fixed(np.array(sizes, np.int64))]
    else:
        how = [Fixed(np.array(scales, np.float32))]
    # Only onnxruntime rounds places of float32 to the same pixels; ONNX's reference loses a pixel where a
    # symmetric place is a whole number.
    transform = attributes["coordinate_transformation_mode"]
    rounded = mode == "nearest" and transform not in ("tf_crop_and_resize", "align_corners")
    # For one pixel ONNX's reference has another place, and asks for the size before it was rounded.
    single = transform == "pytorch_half_pixel"
    single = single or _is_rounded_to_one(x.shape[2:], sizes[-2:], attributes.get("keep_aspect_ratio_policy"))
    judge = peer if rounded or transform == "half_pixel_symmetric" or single else reference
    if whole:
        judge = _of_sizes(x.shape[2:], sizes[-2:], transform, attributes["nearest_mode"])
    # What is left of the weights inside may be little, and all are divided by it.
    most = 200.0 if attributes.get("exclude_outside") else 40.0
    return Call([x, corners, *how], 1, judge, 16, most, mode=mode, **attributes)


def _of_sizes(before: Sequence[int], after: Sequence[int], transform: str, rounding: str) -> Judge:
    """Pictures whose rows and columns are chosen by nothing but sizes."""
    rows, columns = (nearest(n, out, transform, rounding) for n, out in zip(before, after, strict=True))
    return formula(lambda x, *_: x[:, :, rows][:, :, :, columns], exact=True)


def _is_rounded_to_one(before: Sequence[int], after: Sequence[int], keep: str | None) -> bool:
    """Whether an axis keeps the aspect ratio by a single pixel that is more or less than one."""
    if keep not in ("not_larger", "not_smaller"):
        return False
    ratios = [Fraction(o, n) for n, o in zip(before, after, strict=True)]
    scale = min(ratios) if keep == "not_larger" else max(ratios)
    return any(scale * n != 1 and math.floor(scale * n + Fraction(1, 2)) == 1 for n in before)


def _policy(d: Draw, mode: str) -> dict[str, Any]:
    """How places are computed."""
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]
    modes += ["half_pixel_symmetric"] if d.opset >= 19 else []
    found: dict[str, Any] = {"coordinate_transformation_mode": d.one_of(*modes)}
    if mode == "nearest":
        found["nearest_mode"] = d.one_of(*ROUNDINGS)
    if mode == "cubic":
        found["cubic_coeff_a"] = d.one_of(-0.75, -0.5)
        found["exclude_outside"] = d.one_of(0, 1)
    if found["coordinate_transformation_mode"] == "tf_crop_and_resize":
        found["extrapolation_value"] = d.one_of(0.0, 2.5)
    elif mode != "nearest" and d.opset >= 18 and d.flag():
        found["antialias"] = 1
    return found


def _roi(d: Draw) -> Array:
    """Corners of a region, the two first axes whole; sixteenths."""
    low = [d.integer(-2, 8) / 16 for _ in range(2)]
    high = [d.integer(9, 18) / 16 for _ in range(2)]
    return np.array([0, 0, *low, 1, 1, *high], np.float32)


@recipe("Upsample", types="f32")
def upsample(d: Draw) -> Call:
    x = d.within((d.one_of(1, 2), d.one_of(1, 3, 17), d.integer(1, 6), d.integer(1, 6)), -3, 3)
    factors = [d.one_of(1.0, 2.0, 3.0, 1.5) for _ in range(2)]
    mode = d.one_of("nearest", "linear") if d.opset >= 7 else "nearest"
    if d.opset == 1:
        ends = zip(x.shape[2:], factors, strict=True)
        rows, columns = (np.floor(np.arange(int(n * f)) / f).astype(int) for n, f in ends)
        judge = formula(lambda x: x[:, :, rows][:, :, :, columns])
        return Call([x], judge=judge, height_scale=factors[0], width_scale=factors[1], mode=mode)
    scales = [1.0, 1.0, *factors]
    if d.opset < 9:
        return Call([x], 1, peer, 4, 10.0, scales=scales, mode=mode)
    return Call([x, Fixed(np.array(scales, np.float32))], 1, peer, 4, 10.0, mode=mode)


@recipe("GridSample", opsets=(16, 20, 22), types="f32")
@recipe("GridSample", domain="com.microsoft", types="f32")
def grid_sample(d: Draw) -> Call:
    deep = d.opset >= 20 and d.flag()
    rank = 3 if deep else 2
    newer = d.opset >= 20
    modes = ("linear", "nearest", "cubic") if newer else ("bilinear", "nearest", "bicubic")
    mode = d.one_of(*modes[: 2 if deep else 3])
    batch = d.integer(1, 2)
    x = d.within((batch, d.one_of(*WIDTHS), *(d.integer(1, 5) for _ in range(rank))), -3, 3)
    grid = d.within((batch, *(d.integer(1, 4) for _ in range(rank)), rank), -2.5, 2.5)
    attributes = {
        "mode": mode,
        "padding_mode": d.one_of("zeros", "border", "reflection"),
        "align_corners": d.one_of(0, 1),
    }
    return Call([x, grid], 1, peer, 16, 60.0, **attributes)


@recipe("AffineGrid", types="f32 f64")
def affine_grid(d: Draw) -> Call:
    rank, batch = d.one_of(2, 3), d.integer(1, 3)
    theta = d.within((batch, rank, rank + 1), -2, 2)
    size = np.array([batch, 3, *(d.integer(1, 5) for _ in range(rank))], np.int64)
    align = d.one_of(0, 1) if (size[2:] > 1).all() else 0

    def judge(theta: Array, size: Array) -> Array:
        axes = []
        for n in size[2:]:
            steps = np.arange(n)
            axes.append(steps * 2 / (n - 1) - 1 if align else (steps * 2 + 1) / n - 1)
        places = np.stack([*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(size[2:])], -1)
        return np.asarray(np.einsum("...k,nrk->n...r", places, theta))

    return Call([theta, size], 1, formula(judge), rank + 1, 8.0, align_corners=align)


@recipe("RoiAlign", opsets=(10, 16), types="f32")
def roi_align(d: Draw) -> Call:
    x = d.within((d.integer(1, 2), d.one_of(*WIDTHS), d.integer(2, 9), d.integer(2, 9)), -3, 3)
    rois, index = _regions(d, x)
    attributes: dict[str, Any] = {
        "mode": d.one_of("avg", "max"),
        "output_height": d.integer(1, 3),
        "output_width": d.integer(1, 3),
        "sampling_ratio": d.one_of(2, 1, 0),
        "spatial_scale": d.one_of(1.0, 0.5),
    }
    if d.opset >= 16:
        attributes["coordinate_transformation_mode"] = d.one_of("half_pixel", "output_half_pixel")
    # onnxruntime computes places in float32: a sample on the edge of a picture may lie beyond it.
    judge = formula(partial(aligned, **attributes))
    return Call([x, rois, index], 1, judge, 16, 12.0, **attributes)


def _regions(d: Draw, x: Array) -> tuple[Array, Array]:
    """Corners x1, y1, x2, y2 in eighths of a pixel, and images."""
    count = d.integer(1, 4)
    low = d.within((count, 2), 0, 24, np.int64)
    high = low + d.within((count, 2), 1, 48, np.int64)
    rois = (np.concatenate([low, high], 1) / 8).astype(np.float32)
    return rois, d.within((count,), 0, x.shape[0] - 1, np.int64)


@recipe("MaxRoiPool", opsets=(1,), types="f32")
def max_roi_pool(d: Draw) -> Call:
    x = d.within((d.integer(1, 2), d.one_of(*WIDTHS), d.integer(2, 9), d.integer(2, 9)), -3, 3)
    rois, index = _regions(d, x)
    whole = np.concatenate([index[:, None].astype(np.float32), np.rint(rois)], 1)
    shape = [d.integer(1, 3), d.integer(1, 3)]
    return Call(
        [x, whole.astype(np.float32)], judge=peer, pooled_shape=shape, spatial_scale=d.one_of(1.0, 0.5)
    )


@recipe("NonMaxSuppression", types="f32")
def non_max_suppression(d: Draw) -> Call:
    batch, classes, count = d.integer(1, 2), d.integer(1, 3), d.integer(1, 12)
    corners = d.within((batch, count, 2), 0, 8)
    sizes = d.within((batch, count, 2), 0.5, 4)
    centred = d.one_of(0, 1)
    boxes = np.concatenate([corners, sizes if centred else corners + sizes], 2).astype(np.float32)
    scores = np.stack([d.random().permutation(count) for _ in range(batch * classes)]) / np.float32(count)
    scores = scores.reshape(batch, classes, count).astype(np.float32)
    limit = np.array([d.integer(1, 6)], np.int64)
    overlap, least = (np.array([v], np.float32) for v in (d.one_of(0.5, 0.25, 0.0), d.one_of(0.0, 0.3)))
    extras: list[Any] = [limit, overlap, least][: d.integer(1, 3)]
    return Call([boxes, scores, *extras], judge=peer, center_point_box=centred)
