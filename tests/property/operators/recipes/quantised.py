"""Calls of operators of quantised numbers: points on scales, and exact products of integers."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, Fixed, recipe

CONTRIB = "com.microsoft"
KNOWN = {"QuantizeLinear": 1, "DequantizeLinear": 1}


def ends(dtype: Any) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    info = ml_dtypes.iinfo(dtype)
    return int(info.min), int(info.max)


def any_points(d: Draw, shape: Any, dtype: Any = None) -> Array:
    """Points of any value."""
    dtype = d.element if dtype is None else np.dtype(dtype)
    return d.within(shape, *ends(dtype), dtype)


def spread(v: Array, x: Array, axis: int, block: int) -> Array:
    """Scales or zero points, repeated to broadcast with x."""
    if v.ndim == 0 or (v.size == 1 and not block):
        return v.reshape((1,) * x.ndim)
    if not block:
        return v.reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
    wide = np.repeat(v, block, axis % x.ndim)
    return np.take(wide, np.arange(x.shape[axis]), axis % x.ndim)


def scale_shape(d: Draw, x: Any, axis: int, block: int) -> tuple[int, ...]:
    """One scale, one for each place of an axis, or one for each block of it."""
    if block:
        return tuple(-(-n // block) if a == axis % len(x) else n for a, n in enumerate(x))
    return d.one_of((), (x[axis],)) if d.opset >= 13 else ()


def layout(d: Draw) -> tuple[tuple[int, ...], int, int]:
    """A shape, the axis along which scales differ, and the size of blocks (0: none)."""
    shape = d.shape(2, 4, 1, 6)
    axis = d.axis(len(shape))
    block = d.one_of(0, 0, 2, 3) if d.opset >= 21 else 0
    return shape, axis, block


def to_points(real: Array, zero: Array, dtype: Any) -> Array:
    """Rounded to even, moved, saturated."""
    low, high = ends(dtype)
    return np.asarray((np.rint(real) + zero).clip(low, high)).astype(dtype)


FLOATS = (np.float32, np.float16)


def types(d: Draw, parameter: str) -> np.dtype[Any]:
    """Mostly the integers of 8 bits; now and then any other type that the schema allows."""
    return d.one_of(np.dtype(np.uint8), np.dtype(np.int8), d.type(parameter))


@recipe("QuantizeLinear", types="f32 f16")
def quantize_linear(d: Draw) -> Call:
    shape, axis, block = layout(d)
    output = types(d, "T2" if d.opset < 23 else "T3")
    sizes = scale_shape(d, shape, axis, block)
    given = d.element if d.opset >= 19 else np.dtype(np.float32)
    step = d.one_of(0.25, 0.5, 2.0) * d.within(sizes, 1, 3, np.int64)
    scale = step.astype(np.float32 if d.opset < 19 else given)
    x = d.within(shape, -300, 300, np.float32 if d.opset < 19 else given)
    if kind_of(output) in "iu":
        zero = d.within(sizes, max(ends(output)[0], -100), min(ends(output)[1], 100), output)
    else:
        zero = np.zeros(sizes, output)
    absent = output == np.uint8 and d.flag()

    def judge(x: Array, scale: Array, zero: Array | None = None) -> Array:
        step = spread(scale, x, axis, block)
        real = x / step
        if kind_of(output) not in "iu":
            return saturated(real, output)
        moved = 0 if zero is None else spread(zero, x, axis, block).astype(np.int64)
        return to_points(real.astype(np.float64), np.asarray(moved), output)

    attributes: dict[str, Any] = {"axis": axis} if d.opset >= 13 else {}
    if block:
        attributes["block_size"] = block
    inputs = [x, scale, None if absent else zero]
    return Call(inputs, judge=formula(judge, exact=True), points=1, **attributes)


def saturated(real: Array, dtype: np.dtype[Any]) -> Array:
    """A cast to narrow floats that stops at the greatest one."""
    info = ml_dtypes.finfo(dtype)
    most = float(info.max)
    return np.asarray(np.clip(real.astype(np.float32), -most, most)).astype(dtype)


@recipe("DequantizeLinear", types="u8 i8 i32 u16 i16 u4 i4 f8e4m3fn f8e5m2")
def dequantize_linear(d: Draw) -> Call:
    shape, axis, block = layout(d)
    known = {str(t) for t in _inputs_of(d)}
    element = d.element if str(d.element) in known else np.dtype(np.uint8)
    x = any_points(d, shape, element) if kind_of(element) in "iu" else d.within(shape, -8, 8, element)
    sizes = scale_shape(d, shape, axis, block)
    real = np.dtype(d.one_of(*FLOATS)) if d.opset >= 19 else np.dtype(np.float32)
    scale = (d.one_of(0.25, 0.5) * d.within(sizes, 1, 3, np.int64)).astype(real)
    zero: Array | None = np.zeros(sizes, element)
    if kind_of(element) in "iu" and element != np.int32:
        zero = d.maybe(any_points(d, sizes, element))

    def judge(x: Array, scale: Array, zero: Array | None = None) -> Array:
        step = spread(scale, x, axis, block).astype(np.float64)
        if kind_of(element) not in "iu":
            return np.asarray(x.astype(np.float64) * step).astype(real)
        moved = 0 if zero is None else spread(zero, x, axis, block).astype(np.int64)
        return np.asarray((x.astype(np.int64) - moved) * step).astype(real)

    attributes: dict[str, Any] = {"axis": axis} if d.opset >= 13 else {}
    if block:
        attributes["block_size"] = block
    return Call([x, scale, zero], judge=formula(judge, exact=True), zeros=False, **attributes)


def _inputs_of(d: Draw) -> list[np.dtype[Any]]:
    from tests.property.operators.draw import allowed

    return allowed(d.schema, "T" if d.opset < 19 else "T1")


@recipe("DynamicQuantizeLinear")
def dynamic_quantize_linear(d: Draw) -> Call:
    x = d.within(d.shape(0, 4, 1, 17), *d.one_of((-5, 5), (2, 7), (-9, -1), (0, 0)), np.float32)

    def judge(x: Array) -> Any:
        high, low = np.float32(max(x.max(), 0)), np.float32(min(x.min(), 0))
        step = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
        zero = np.clip(np.rint(-low / step), 0, 255).astype(np.uint8)
        y = np.clip(np.rint(x / step) + np.float32(zero), 0, 255).astype(np.uint8)
        return y, np.asarray(step), np.asarray(zero)

    # onnxruntime gives 1 for the scale of nothing but zeros, ONNX's text leaves it open.
    return Call([x], 3, formula(judge, exact=True), zeros=False)


def matrices(d: Draw, second: Any) -> tuple[Array, Array]:
    """Two matrices of points, or batches of them."""
    m, k, n = (d.one_of(*WIDTHS, 70) for _ in range(3))
    lead = d.shape(0, 2, 0, 3)
    a, b = any_points(d, (*lead, m, k)), any_points(d, d.one_of((k, n), (*lead, k, n)), second)
    return a, b


@recipe("MatMulInteger")
def matmul_integer(d: Draw) -> Call:
    kind = d.type("T2")
    a, b = matrices(d, kind)
    a_zero = d.maybe(any_points(d, ()))
    b_zero = d.maybe(any_points(d, d.one_of((), (b.shape[-1],)), kind)) if a_zero is not None else None

    def judge(a: Array, b: Array, p: Array | None = None, q: Array | None = None) -> Array:
        left = a.astype(np.int64) - (0 if p is None else p.astype(np.int64))
        right = b.astype(np.int64) - (0 if q is None else q.astype(np.int64))
        return np.asarray(left @ right).astype(np.int32)

    return Call([a, Fixed(b) if d.flag() else b, a_zero, b_zero], judge=formula(judge, exact=True))


def scale(d: Draw, count: int = 0, factor: float = 1) -> Array:
    """A scale, or as many of them, times a factor."""
    return np.asarray(d.within((count,) if count else (), 0.01, 0.2, np.float64) * factor).astype(np.float32)


@recipe("QLinearMatMul", opsets=(10, 21), types="u8 i8")
def qlinear_matmul(d: Draw) -> Call:
    kind = np.dtype(d.one_of(np.int8, np.uint8))
    a, b = matrices(d, kind)
    many = d.flag()
    a_scale, b_scale = scale(d), scale(d, b.shape[-1] if many else 0)
    y_scale = scale(d, 0, a.shape[-1] * 4)
    zeros = [any_points(d, ()), any_points(d, b_scale.shape, kind), any_points(d, ())]

    def judge(*_: Any) -> Array:
        total = (a.astype(np.int64) - zeros[0].astype(np.int64)) @ (
            b.astype(np.int64) - zeros[1].astype(np.int64)
        )
        real = total.astype(np.float64) * a_scale * b_scale / y_scale
        return to_points(real, zeros[2].astype(np.int64), d.element)

    inputs = [a, a_scale, zeros[0], Fixed(b) if d.flag() else b, b_scale, zeros[1], y_scale, zeros[2]]
    return Call(inputs, judge=formula(judge, exact=True), points=1)


# ---- com.microsoft


@recipe("QuantizeLinear", domain=CONTRIB, types="f32")
def quantize_linear_of_the_peer(d: Draw) -> Call:
    x = d.within(d.shape(0, 3, 1, 6), -300, 300)
    output = np.dtype(d.one_of(np.uint8, np.int8, np.uint16, np.int16))
    return Call([x, scale(d, 0, 4), any_points(d, (), output)], judge=peer, points=1)


@recipe("DequantizeLinear", domain=CONTRIB, types="u8 i8 u16 i16 i32")
def dequantize_linear_of_the_peer(d: Draw) -> Call:
    x = any_points(d, d.shape(0, 3, 1, 6))
    zero = np.zeros((), x.dtype) if x.dtype == np.int32 else any_points(d, ())
    return Call([x, scale(d), zero], judge=peer, zeros=False)


@recipe("MatMulInteger16", domain=CONTRIB, types="i16")
def matmul_integer_16(d: Draw) -> Call:
    m, k, n = (d.one_of(*WIDTHS) for _ in range(3))
    lead = d.shape(0, 2, 0, 3)
    a, b = d.within((*lead, m, k), -3000, 3000), d.within((k, n), -3000, 3000)
    return Call([a, b], judge=formula(lambda a, b: a.astype(np.int32) @ b.astype(np.int32), exact=True))


@recipe("MulInteger", domain=CONTRIB, types="u8 i8")
def mul_integer(d: Draw) -> Call:
    shapes = d.broadcasting(2)
    a, b = (any_points(d, shape) for shape in shapes)
    p, q = d.maybe(any_points(d, ())), d.maybe(any_points(d, ()))

    def judge(a: Array, p: Array | None, b: Array, q: Array | None = None) -> Array:
        left = a.astype(np.int32) - (0 if p is None else p.astype(np.int32))
        return np.asarray(left * (b.astype(np.int32) - (0 if q is None else q.astype(np.int32))))

    return Call([a, p, b, q], judge=formula(judge, exact=True))


@recipe("MatMulIntegerToFloat", domain=CONTRIB, types="u8 i8")
def matmul_integer_to_float(d: Draw) -> Call:
    kind = np.dtype(d.one_of(np.int8, np.uint8))
    m, k, n = (d.one_of(*WIDTHS, 70) for _ in range(3))
    a, b = any_points(d, (*d.shape(0, 1, 1, 3), m, k)), any_points(d, (k, n), kind)
    many = d.flag()
    b_scale = scale(d, n if many else 0)
    zeros = d.maybe(any_points(d, ())), d.maybe(any_points(d, b_scale.shape, kind))
    a_scale, bias = scale(d), d.maybe(d.within((n,), -5, 5, np.float32))

    def judge(*_: Any) -> Array:
        left, right = (
            v.astype(np.float64) - (0 if z is None else z.astype(np.float64))
            for v, z in zip((a, b), zeros, strict=True)
        )
        y = (left @ right) * a_scale.astype(np.float64) * b_scale.astype(np.float64)
        return np.asarray(y if bias is None else y + bias).astype(np.float32)

    inputs = [a, b, a_scale, b_scale, *zeros, bias]
    return Call(inputs, 1, formula(judge, exact=True), k, 0.04 * 255 * 255 * k)


@recipe("DynamicQuantizeMatMul", domain=CONTRIB, types="f32")
def dynamic_quantize_matmul(d: Draw) -> Call:
    kind = np.dtype(d.one_of(np.int8, np.uint8))
    m, k, n = (d.one_of(*WIDTHS) for _ in range(3))
    a, b = d.within((*d.shape(0, 1, 1, 3), m, k), -5, 5), any_points(d, (k, n), kind)
    b_scale = scale(d, n if d.flag() else 0)
    zero = d.maybe(any_points(d, b_scale.shape, kind))
    inputs = [a, Fixed(b), Fixed(b_scale), None if zero is None else Fixed(zero)]
    bias = d.maybe(d.within((n,), -5, 5))

    def judge(*_: Any) -> Array:
        high, low = np.float32(max(a.max(), 0)), np.float32(min(a.min(), 0))
        step = np.float32((high - low) / np.float32(255))
        origin = np.clip(np.rint(-low / step), 0, 255)
        points = np.clip(np.rint(a / step) + origin, 0, 255) - origin
        right = b.astype(np.float64) - (0 if zero is None else zero.astype(np.float64))
        y = (points.astype(np.float64) @ right) * step * b_scale.astype(np.float64)
        return np.asarray(y if bias is None else y + bias).astype(np.float32)

    return Call([*inputs, bias], 1, formula(judge, exact=True), k, 5.0 * 255 * 0.2 * k)


@recipe("QGemm", domain=CONTRIB, types="u8 i8")
def qgemm(d: Draw) -> Call:
    m, k, n = (d.one_of(*WIDTHS) for _ in range(3))
    turned = [int(d.flag()) for _ in "ab"]
    a = any_points(d, (k, m) if turned[0] else (m, k))
    b = any_points(d, (n, k) if turned[1] else (k, n))
    b_scale, real = scale(d, n if d.flag() else 0), d.flag()
    c = d.maybe(d.within(d.one_of((n,), (m, n)), -5000, 5000, np.int32))
    y_scale = None if real else scale(d, 0, 4 * k)
    inputs = [a, scale(d), any_points(d, ()), b, b_scale, any_points(d, b_scale.shape), c, y_scale]
    attributes = {"alpha": d.one_of(1.0, 0.5), "transA": turned[0], "transB": turned[1]}
    most = 0.04 * (255 * 255 * k + 5000)
    zero = None if real else any_points(d, ())

    def judge(*_: Any) -> Array:
        given = (v.T if t else v for v, t in zip((a, b), turned, strict=True))
        zeros = inputs[2], inputs[5]
        left, right = (v.astype(np.int64) - z.astype(np.int64) for v, z in zip(given, zeros, strict=True))
        total = left @ right
        factor = inputs[1].astype(np.float64) * b_scale * attributes["alpha"]
        y = (total if c is None else total + c) * factor
        return y.astype(np.float32) if zero is None else to_points(y / y_scale, zero.astype(int), d.element)

    judged = formula(judge, exact=True)
    return Call([*inputs, zero], 1, judged, k, most, points=1, **attributes)
