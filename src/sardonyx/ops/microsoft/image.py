"""Image operators of com.microsoft: crops, and convolutions whose pads are computed."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, dim_value, iota, scalar
from sardonyx.ops.demands import at_least
from sardonyx.ops.onnx.conv import conv_transpose
from sardonyx.ops.onnx.sampling import Border, sample
from sardonyx.ops.operands import sizes
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints, Sliding

MICROSOFT = "com.microsoft"


@op("ConvTransposeWithDynamicPads", domain=MICROSOFT)
def conv_transpose_with_dynamic_pads(
    x: Value,
    w: Value,
    pads: Value | None = None,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    strides: Ints = (),
) -> Value:
    """ConvTranspose whose pads are an input."""
    return conv_transpose(
        x,
        w,
        b,
        group=group,
        kernel_shape=kernel_shape,
        moves=Sliding(dilations, () if pads is None else sizes(pads, "the pads"), strides, auto_pad),
        output_padding=output_padding,
    )


@op("CropAndResize", domain=MICROSOFT)
def crop_and_resize(
    x: Value,
    rois: Value,
    batch_indices: Value,
    crop_size: Value,
    *,
    extrapolation_value: float = 0.0,
    mode: str = "bilinear",
) -> Value:
    """Regions (y1, x1, y2, x2; 0 to 1 are the outer pixels) of images, resized with their corners aligned."""
    if mode not in ("bilinear", "nearest"):
        raise UnsupportedOp(f'mode="{mode}"')
    count, crop = rois.shape[0], sizes(crop_size, "the crop size")
    images = x.gather(batch_indices, 0)
    places, inside = [], scalar(True, dt.BOOL)
    for axis, out in enumerate(crop):
        place = _crop_places(rois, axis, x.shape[2 + axis], out)
        last = dim_value(x.shape[2 + axis] - 1, x.dtype)
        inside = inside.logical_and(scalar(0, x.dtype).le(place).logical_and(place.le(last)))
        place = (place + 0.5).unary("floor") if mode == "nearest" else place
        places.append(place.broadcast((count, 1, *crop)))
    blend = "nearest" if mode == "nearest" else "linear"
    pixels = sample(images.reshape((count, 1, *images.shape[1:])), places, blend, Border("border"))
    return inside.where(pixels.reshape((count, x.shape[1], *crop)), extrapolation_value)


def _crop_places(rois: Value, axis: int, size: Dim, out: Dim) -> Value:
    """Where along one of the two axes the pixels of each region lie: [regions, 1, .., out, ..]."""
    count, last = rois.shape[0], dim_value(size - 1, rois.dtype)
    low, high = (rois.slice((0, at), (count, 1)).reshape((count, 1, 1, 1)) for at in (axis, axis + 2))
    low, high = low * last, high * last
    if out == 1:
        return (low + high) * 0.5
    step = iota((1, 1, out, 1) if axis == 0 else (1, 1, 1, out), axis + 2, rois.dtype)
    gaps = dim_value(dims.maximum(out - 1, 1), rois.dtype)
    along = low + step * ((high - low) / gaps)
    return along if isinstance(out, int) else dim_value(out, dt.I64).eq(1).where((low + high) * 0.5, along)


@op("UnfoldTensor", domain=MICROSOFT)
def unfold_tensor(x: Value, *, size: int, dim: int = -1, step: int = 1) -> Value:
    """All windows of `size` elements along an axis; the places inside a window are a new last axis."""
    if size < 1 or step < 1:
        raise ShapeError(f"windows of size {size} in steps of {step}; both must be positive")
    axis = x.axis(dim)
    at_least(x.shape[axis], size, "the axis is shorter than a window")
    return x.window((axis,), (size,), (step,), (1,))
