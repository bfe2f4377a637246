"""Quantised numbers: conversion to and from points on a scale, and exact integer products.

A real number r is the point r / scale + zero. Everything is a formula over int32 and float values.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.value import Value, scalar
from sardonyx.ops.demands import along, element_type, equal, one_or_along, shaped, single, spread_over
from sardonyx.ops.onnx.conv import conv_window, convolve_integers, with_kernel
from sardonyx.ops.onnx.elementwise import converted
from sardonyx.ops.onnx.linear import matrix_product
from sardonyx.ops.operands import needs_size
from sardonyx.ops.precision import centred, kept
from sardonyx.ops.table import op
from sardonyx.ops.window import SLIDING, Ints, Sliding


def spread(v: Value, what: str, x: Value, axis: int, block_size: int = 0) -> Value:
    """Scales or zero points shaped to broadcast with x: one, one per position of `axis`, or one per block."""
    if v.size == 1:
        return v.reshape((1,) * x.rank)
    if dims.equal(v.size, 1) is None and not -x.rank <= axis < x.rank:
        raise needs_size(v.size, "the number of scales")
    axis = x.axis(axis)
    if not block_size:
        return one_or_along(v, what, x, axis)
    blocks = dims.ceildiv(x.shape[axis], block_size)
    v = shaped(v, what, *x.shape[:axis], blocks, *x.shape[axis + 1 :])
    return in_blocks(v, x, axis, block_size)


def in_blocks(v: Value, x: Value, axis: int, block: Dim) -> Value:
    """Every position of an axis of v `block` times, up to the size that the axis has in x."""
    size, count = x.shape[axis], v.shape[axis]
    if size == count:
        return v
    before, after = v.shape[:axis], v.shape[axis + 1 :]
    wide = v.reshape((*before, count, 1, *after)).broadcast((*before, count, block, *after))
    whole = wide.reshape((*before, count * block, *after))
    return whole.slice((0,) * v.rank, (*before, size, *after))


def _zero_spread(zero: Value | None, scale: Value, x: Value, axis: int, block_size: int) -> Value | None:
    """Zero points shaped to broadcast with x: as many as there are scales."""
    if zero is None:
        return None
    if zero.rank != scale.rank and 0 in (zero.rank, scale.rank):
        equal(scale.size, 1, "scales and zero points differ in number")
        zero = single(zero, "the zero point")
    elif zero.size != 1 or scale.size != 1:
        zero = shaped(zero, "the zero point", *scale.shape)
    return spread(zero, "the zero point", x, axis, block_size)


def limits(dtype: DType) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    return (
        (0, (1 << dtype.bits) - 1)
        if dtype.kind == "u"
        else (-(1 << dtype.bits - 1), (1 << dtype.bits - 1) - 1)
    )


def to_points(real: Value, zero: Value | None, dtype: DType) -> Value:
    """Real numbers, already divided by the scale, as points: rounded to even, moved by `zero`, saturated.

    NaN is the least point, as in onnxruntime.
    """
    points = (real.cast(dt.F32) if real.dtype.bits <= 16 else real).unary("round")
    if zero is not None:
        points = points + zero.cast(points.dtype)
    low, high = limits(dtype)
    if dtype.kind == "i" and dtype.bits < 32:
        return points.min(float(high)).cast(dt.I32).max(low).cast(dtype)
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
        else element_type(output_dtype, "output_dtype")
        if output_dtype
        else dt.U8
    )
    wide = element_type(precision, "precision") if precision else y_scale.dtype
    real = x.cast(wide) / spread(y_scale, "the scale", x, axis, block_size).cast(wide)
    zero = _zero_spread(y_zero_point, y_scale, x, axis, block_size)
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
    to = element_type(output_dtype, "output_dtype") if output_dtype else x_scale.dtype
    scale = spread(x_scale, "the scale", x, axis, block_size)
    if not x.dtype.is_int:
        return (x.cast(scale.dtype) * scale).cast(to)
    zero = _zero_spread(x_zero_point, x_scale, x, axis, block_size)
    x = kept(x) if x.rank > 1 else x
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


def of_rows(v: Value, what: str, x: Value) -> Value:
    """A parameter of a left operand or a product x: one, or one for each row, as a column."""
    if v.size == 1:
        return v.reshape(())
    return spread_over(v.reshape((v.size, 1)) if v.rank == 1 else v, what, (*x.shape[:-1], 1))


def of_columns(v: Value, what: str, x: Value) -> Value:
    """A parameter of a right operand or a product x: one, or one for each column."""
    if v.size == 1:
        return v.reshape(())
    return spread_over(v, what, (*x.shape[:-2], 1, x.shape[-1]) if x.rank > 1 else (1,))


def multiply_integers(a: Value, b: Value, a_zero: Value | None, b_zero: Value | None) -> Value:
    """(a - a_zero) @ (b - b_zero), exact in int32; zero points for each row of a and column of b, or one."""
    left = None if a_zero is None else of_rows(a_zero, "the zero point of a", a)
    right = None if b_zero is None else of_columns(b_zero, "the zero point of b", b)
    return matrix_product(centred(a, left), centred(b if a.is_const else kept(b), right))


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
    left, right = of_rows(a_scale, "the scale of a", a), of_columns(b_scale, "the scale of b", b)
    factor = left.cast(dt.F32) * right.cast(dt.F32) / of_rows(y_scale, "the scale of y", total).cast(dt.F32)
    zero = of_rows(y_zero_point, "the zero point of y", total)
    return to_points(total.cast(dt.F32) * factor, zero, y_zero_point.dtype)


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
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """The convolution of the real numbers of x and w, as points on the scale of y; b is on theirs."""
    w = with_kernel(w, kernel_shape)
    window = conv_window(x, w, moves)
    total = convolve_integers(x, w, x_zero_point, w_zero_point, window, group)
    if b is not None:
        total = total + along(b, "the bias B", total, 1)
    scale = one_or_along(w_scale, "the scale of w", total, 1)
    factor = single(x_scale, "the scale of x") * scale / single(y_scale, "the scale of y")
    zero = single(y_zero_point, "the zero point of y")
    return to_points(total.cast(dt.F32) * factor, zero, y_zero_point.dtype)
