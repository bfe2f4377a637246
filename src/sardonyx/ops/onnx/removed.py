"""Operators that ONNX took back by opset 10, which old files hold and peers still run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.errors import ShapeError
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, const
from sardonyx.ops.demands import along
from sardonyx.ops.onnx.activation import softplus, thresholded_relu
from sardonyx.ops.onnx.norm import moments
from sardonyx.ops.onnx.slicing import slice_
from sardonyx.ops.precision import in_single, widened
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints

op("ThresholdedRelu")(thresholded_relu)


@op("Affine")
@in_single
def affine(x: Value, *, alpha: float = 1.0, beta: float = 0.0) -> Value:
    """alpha * x + beta."""
    return x * alpha + beta


@op("Scale")
@in_single
def scale(x: Value, *, scale: float = 1.0) -> Value:
    """x * scale."""
    return x * scale


@op("ScaledTanh")
@in_single
def scaled_tanh(x: Value, *, alpha: float, beta: float) -> Value:
    """alpha * tanh(beta * x)."""
    return (x * beta).tanh() * alpha


@op("ParametricSoftplus")
@in_single
def parametric_softplus(x: Value, *, alpha: float, beta: float) -> Value:
    """alpha * log(1 + exp(beta * x))."""
    return softplus(x * beta) * alpha


@op("ImageScaler")
@in_single
def image_scaler(x: Value, *, bias: Sequence[float], scale: float = 1.0) -> Value:
    """x * scale + bias of each channel."""
    _image(x)
    if dims.equal(x.shape[1], len(bias)) is False:
        raise ShapeError(f"{len(bias)} biases for images of {x.shape[1]} channels")
    must_equal(x.shape[1], len(bias), "there are {} biases for {} channels", len(bias), x.shape[1])
    return x * scale + along(const(np.asarray(bias, x.dtype.numpy)), "the bias", x, 1)


@op("Crop")
def crop(x: Value, *, border: Ints, scale: Ints | None = None) -> Value:
    """Images without `border` (left, top, right, bottom), or of the size `scale` from left and top on."""
    _image(x)
    if len(border) != 4 or min(border) < 0 or (scale is not None and (len(scale) != 2 or min(scale) < 0)):
        raise ShapeError(
            f"border={list(border)} and scale={scale}: four and two numbers from 0 on are needed"
        )
    left, top, right, bottom = border
    inner = (x.shape[2] - top - bottom, x.shape[3] - left - right)
    size = inner if scale is None else tuple(scale)
    rest = inner if scale is None else (x.shape[2] - top - size[0], x.shape[3] - left - size[1])
    for left_over in rest:
        if isinstance(left_over, int) and left_over < 0:
            raise ShapeError(f"border={list(border)} and scale={scale} do not fit images {list(x.shape)}")
        fits = "images {} are smaller than what is cut off"
        must_equal(dims.maximum(left_over, 0), left_over, fits, x.shape)
    return x.slice((0, 0, top, left), (*x.shape[:2], *size))


@op("DynamicSlice")
def dynamic_slice(x: Value, starts: Value, ends: Value, axes: Value | None = None) -> Value:
    """x[start:end] on some axes."""
    return slice_(x, starts, ends, axes)


@op("MeanVarianceNormalization")
def mean_variance_normalization(x: Value, *, across_channels: int = 0, normalize_variance: int = 1) -> Value:
    """(x - mean) / deviation of each channel, or of all together."""
    axes = [a for a in ((0, 1, 2, 3) if across_channels == 1 else (0, 2, 3)) if a < x.rank]
    _, deviation, var = moments(widened(x), axes)
    return (deviation / var.sqrt() if normalize_variance == 1 else deviation).cast(x.dtype)


def _image(x: Value) -> None:
    if x.rank != 4:
        raise ShapeError(f"a tensor of shape {list(x.shape)}: images [N, C, H, W] are needed")
