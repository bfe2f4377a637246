"""Quantised numbers: conversion to and from points on a scale, and exact integer products.

A real number r is the point r / scale + zero. Everything is a formula over int32 and float values.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, make, scalar
from sardonyx.ops.onnx.conv import conv_window, convolve_integers, with_kernel
from sardonyx.ops.onnx.elementwise import converted
from sardonyx.ops.onnx.linear import matrix_product
from sardonyx.ops.operands import needs_size
from sardonyx.ops.precision import along, centred
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints


def spread(v: Value, x: Value, axis: int, block_size: int = 0) -> Value:
    """Scales or zero points shaped to broadcast with x: one, one per position of `axis`, or one per block."""
    if v.size == 1:
        return v.reshape((1,) * x.rank)
    if dims.equal(v.size, 1) is None and not -x.rank <= axis < x.rank:
        raise needs_size(v.size, "the number of scales")
    axis = x.axis(axis)
    if v.rank == 1 and not (block_size and x.rank == 1):
        return along(v, axis, x.rank)
    if v.rank != x.rank:
        raise ShapeError(f"scales of shape {list(v.shape)} fit neither an axis nor blocks of {list(x.shape)}")
    size, count = x.shape[axis], v.shape[axis]
    if dims.equal(size, count) is True:
        return v
    block = block_size or dims.ceildiv(size, count)
    before, after = v.shape[:axis], v.shape[axis + 1 :]
    wide = v.reshape((*before, count, 1, *after)).broadcast((*before, count, block, *after))
    whole = wide.reshape((*before, count * block, *after))
    return whole.slice((0,) * x.rank, (*before, size, *after))


def limits(dtype: DType) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    return (
        (0, (1 << dtype.bits) - 1)
        if dtype.kind == "u"
        else (-(1 << dtype.bits - 1), (1 << dtype.bits - 1) - 1)
    )


def to_points(real: Value, zero: Value | None, dtype: DType) -> Value:
    """Real numbers, already divided by the scale, as points: rounded to even, moved by `zero`, saturated."""
    points = (real.cast(dt.F32) if real.dtype.bits <= 16 else real).unary("round")
    if zero is not None:
        points = points + zero.cast(points.dtype)
    low, high = limits(dtype)
    return points.max(float(low)).min(float(high)).cast(dtype)


@op("QuantizeLinear", since=10)
def quantize_linear_10(x: Value, y_scale: Value, y_zero_point: Value | None = None) -> Value:
    """Points of x on one scale."""
    return quantize_linear(x, y_scale, y_zero_point)


@op("QuantizeLinear", since=13)
def quantize_linear_13(
    x: Value, y_scale: Value, y_zero_point: Value | None = None, *, axis: int = 1
) -> Value:
    """Points of x on one scale, or one for each position of an axis."""
    return quantize_linear(x, y_scale, y_zero_point, axis=axis)


@op("QuantizeLinear", since=19)
def quantize_linear(
    x: Value,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Value:
    """saturate(round(x / y_scale) + y_zero_point); to narrow floats a cast of x / y_scale."""
    to = (
        y_zero_point.dtype
        if y_zero_point is not None
        else dt.by_onnx(output_dtype)
        if output_dtype
        else dt.U8
    )
    wide = dt.by_onnx(precision) if precision else y_scale.dtype
    real = x.cast(wide) / spread(y_scale, x, axis, block_size).cast(wide)
    zero = None if y_zero_point is None else spread(y_zero_point, x, axis, block_size)
    if to.is_int:
        return to_points(real, zero, to)
    if zero is not None and to is dt.F4E2M1:
        real = real + zero.cast(real.dtype)
    return converted(real, to, bool(saturate))


@op("DequantizeLinear", since=10)
def dequantize_linear_10(x: Value, x_scale: Value, x_zero_point: Value | None = None) -> Value:
    """Real numbers of points on one scale."""
    return dequantize_linear(x, x_scale, x_zero_point)


@op("DequantizeLinear", since=13)
def dequantize_linear(
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Value:
    """(x - x_zero_point) * x_scale."""
    to = dt.by_onnx(output_dtype) if output_dtype else x_scale.dtype
    scale = spread(x_scale, x, axis, block_size)
    if not x.dtype.is_int:
        return (x.cast(scale.dtype) * scale).cast(to)
    zero = None if x_zero_point is None else spread(x_zero_point, x, axis, block_size)
    if x.is_numeric_const and x.rank > 1 and x.dtype in (dt.U8, dt.I8):
        x = make("kept", (x,), {}, x.dtype, x.shape)
    return (centred(x, zero).cast(scale.dtype) * scale).cast(to)


def quantize_dynamically(x: Value) -> tuple[Value, Value, Value]:
    """Points of x (uint8), their distance (f32) and the zero point (uint8), the latter two of rank 0.

    The range is that of x, zero included; a range of nothing has distance 1.
    """
    axes = range(x.rank)
    high = x.reduce("rmax", axes).reshape(()).max(0.0)
    low = x.reduce("rmin", axes).reshape(()).min(0.0)
    span = high - low
    step = span.eq(0.0).where(scalar(1, dt.F32), span / 255.0)
    zero = (-low / step).unary("round").max(0.0).min(255.0)
    points = ((x / step).unary("round") + zero).max(0.0).min(255.0)
    return points.cast(dt.U8), step, zero.cast(dt.U8)


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(x: Value) -> tuple[Value, Value, Value]:
    """Points of x on the uint8 scale of its own range, the scale and the zero point."""
    return quantize_dynamically(x)


def _of_rows(v: Value | None, x: Value) -> Value | None:
    """A parameter of the left operand of a product: one, or one for each row."""
    if v is None or v.size == 1:
        return None if v is None else v.reshape(())
    return v.reshape((v.size, 1)) if v.rank == 1 and x.rank > 1 else v


def _of_columns(v: Value | None) -> Value | None:
    """A parameter of the right operand of a product: one, or one for each column."""
    return v if v is None or v.size != 1 else v.reshape(())


def multiply_integers(a: Value, b: Value, a_zero: Value | None, b_zero: Value | None) -> Value:
    """(a - a_zero) @ (b - b_zero), exact in int32; zero points for each row of a and column of b, or one."""
    return matrix_product(centred(a, _of_rows(a_zero, a)), centred(b, _of_columns(b_zero)))


@op("MatMulInteger", since=10)
def matmul_integer(
    a: Value, b: Value, a_zero_point: Value | None = None, b_zero_point: Value | None = None
) -> Value:
    """(a - a_zero_point) @ (b - b_zero_point), exact in int32."""
    return multiply_integers(a, b, a_zero_point, b_zero_point)


@op("QLinearMatMul", since=10)
def qlinear_matmul(
    a: Value,
    a_scale: Value,
    a_zero_point: Value,
    b: Value,
    b_scale: Value,
    b_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
) -> Value:
    """The product of the real numbers of a and b, as points on the scale of y."""
    total = multiply_integers(a, b, a_zero_point, b_zero_point)
    left, right = _of_rows(a_scale, a), _of_columns(b_scale)
    assert left is not None
    assert right is not None
    factor = left.cast(dt.F32) * right.cast(dt.F32) / _one_or_columns(y_scale).cast(dt.F32)
    return to_points(total.cast(dt.F32) * factor, _one_or_columns(y_zero_point), y_zero_point.dtype)


def _one_or_columns(v: Value) -> Value:
    return v.reshape(()) if v.size == 1 else v.reshape((v.size, 1)) if v.rank == 1 else v


@op("QLinearConv", since=10)
def qlinear_conv(
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    w: Value,
    w_scale: Value,
    w_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Value:
    """The convolution of the real numbers of x and w, as points on the scale of y; b is on theirs."""
    w = with_kernel(w, kernel_shape)
    window = conv_window(x, w, strides, dilations, pads, auto_pad)
    total = convolve_integers(x, w, x_zero_point, w_zero_point, window, group)
    if b is not None:
        total = total + along(b, 1, x.rank)
    factor = x_scale.reshape(()) * w_scale.reshape((w_scale.size,)) / y_scale.reshape(())
    return to_points(
        total.cast(dt.F32) * along(factor, 1, x.rank), y_zero_point.reshape(()), y_zero_point.dtype
    )
