"""Quantised operators of com.microsoft: real formulas between points, and exact integer products."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.ir.value import Value, concat, dim_value
from sardonyx.ops.demands import single, spread_over
from sardonyx.ops.microsoft.fused import channels_first, channels_last, embed_layer_normalization
from sardonyx.ops.onnx.activation import leaky_relu
from sardonyx.ops.onnx.linear import matrix_product
from sardonyx.ops.onnx.pool import average_pool
from sardonyx.ops.onnx.quant import (
    dequantize_linear,
    multiply_integers,
    of_columns,
    of_rows,
    qlinear_conv,
    quantize_dynamically,
    quantize_linear,
    to_points,
)
from sardonyx.ops.onnx.reduce import softmax_over
from sardonyx.ops.precision import centred
from sardonyx.ops.table import op
from sardonyx.ops.window import SLIDING, Ints, Sliding

MICROSOFT = "com.microsoft"


def _real(x: Value, scale: Value, zero: Value | None) -> Value:
    """The numbers of points on one scale."""
    return centred(x, None if zero is None else single(zero, "a zero point")).cast(dt.F32) * single(
        scale, "a scale"
    )


def _points(real: Value, scale: Value, zero: Value | None, dtype: DType) -> Value:
    return to_points(
        real / single(scale, "a scale"), None if zero is None else single(zero, "a zero point"), dtype
    )


op("QuantizeLinear", domain=MICROSOFT)(quantize_linear)
op("DequantizeLinear", domain=MICROSOFT)(dequantize_linear)


@op("QLinearAdd", domain=MICROSOFT)
def qlinear_add(
    a: Value,
    a_scale: Value,
    a_zero_point: Value | None,
    b: Value,
    b_scale: Value,
    b_zero_point: Value | None,
    c_scale: Value,
    c_zero_point: Value | None = None,
) -> Value:
    """The sum of the numbers of a and b, as points on the scale of c."""
    total = _real(a, a_scale, a_zero_point) + _real(b, b_scale, b_zero_point)
    return _points(total, c_scale, c_zero_point, a.dtype)


@op("QLinearMul", domain=MICROSOFT)
def qlinear_mul(
    a: Value,
    a_scale: Value,
    a_zero_point: Value | None,
    b: Value,
    b_scale: Value,
    b_zero_point: Value | None,
    c_scale: Value,
    c_zero_point: Value | None = None,
) -> Value:
    """The product of the numbers of a and b, as points on the scale of c."""
    total = _real(a, a_scale, a_zero_point) * _real(b, b_scale, b_zero_point)
    return _points(total, c_scale, c_zero_point, a.dtype)


@op("QLinearSigmoid", domain=MICROSOFT)
def qlinear_sigmoid(
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None,
    y_scale: Value,
    y_zero_point: Value | None = None,
) -> Value:
    """Sigmoid of the numbers of x, as points on the scale of y."""
    return _points(_real(x, x_scale, x_zero_point).sigmoid(), y_scale, y_zero_point, x.dtype)


@op("QLinearLeakyRelu", domain=MICROSOFT)
def qlinear_leaky_relu(
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    alpha: float = 0.01,
) -> Value:
    """LeakyRelu of the numbers of x, as points on the scale of y."""
    real = leaky_relu(_real(x, x_scale, x_zero_point), alpha=alpha)
    return _points(real, y_scale, y_zero_point, x.dtype)


@op("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    opset: int,
    axis: int = -1,
) -> Value:
    """Softmax of the numbers of x, as points; before opset 13 over all axes from `axis` on."""
    real, axis = _real(x, x_scale, x_zero_point), x.axis(axis)
    if opset < 13:
        rows = real.reshape((dims.product(x.shape[:axis]), dims.product(x.shape[axis:])))
        y = softmax_over(rows, 1).reshape(x.shape)
    else:
        y = softmax_over(real, axis)
    return _points(y, y_scale, y_zero_point, x.dtype)


@op("QLinearAveragePool", domain=MICROSOFT)
def qlinear_average_pool(
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    pads: Ints = (),
    strides: Ints = (),
) -> Value:
    """AveragePool of the numbers of x, as points on the scale of y."""
    real = _real(x, x_scale, x_zero_point)
    y = average_pool(
        channels_first(real) if channels_last else real,
        kernel_shape=kernel_shape,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        moves=Sliding(pads=pads, strides=strides, auto_pad=auto_pad),
    )
    return _points(_last(y, channels_last), y_scale, y_zero_point, x.dtype)


def _last(y: Value, wanted: int) -> Value:
    return channels_last(y) if wanted else y


@op("QLinearGlobalAveragePool", domain=MICROSOFT)
def qlinear_global_average_pool(
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    *,
    channels_last: int = 0,
) -> Value:
    """Mean over all spatial axes of the numbers of x, as points on the scale of y."""
    axes = range(1, x.rank - 1) if channels_last else range(2, x.rank)
    total = centred(x, x_zero_point.reshape(())).sum(*axes)
    count = dim_value(dims.product(x.shape[a] for a in axes), dt.F32)
    factor = x_scale.reshape(()) / (y_scale.reshape(()) * count)
    return to_points(total.cast(dt.F32) * factor, y_zero_point.reshape(()), x.dtype)


@op("QLinearReduceMean", domain=MICROSOFT)
def qlinear_reduce_mean(
    data: Value,
    data_scale: Value,
    data_zero_point: Value | None,
    reduced_scale: Value,
    reduced_zero_point: Value | None = None,
    *,
    axes: Ints,
    keepdims: int,
) -> Value:
    """Mean over axes of the numbers of data, as points on another scale."""
    reduced = {data.axis(a) for a in axes} or set(range(data.rank))
    y = _real(data, data_scale, data_zero_point).mean(*reduced)
    if not keepdims:
        y = y.reshape([n for a, n in enumerate(data.shape) if a not in reduced])
    return _points(y, reduced_scale, reduced_zero_point, data.dtype)


@op("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(y_scale: Value, y_zero_point: Value, *inputs: Value, axis: int) -> Value:
    """Tensors (each with scale and zero point) joined, as points on the scale of y."""
    parts = []
    for x, scale, zero in zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True):
        same = scale is y_scale and zero is y_zero_point
        parts.append(x if same else _points(_real(x, scale, zero), y_scale, y_zero_point, x.dtype))
    return concat(parts, axis)


@op("QLinearWhere", domain=MICROSOFT)
def qlinear_where(
    condition: Value,
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    y: Value,
    y_scale: Value,
    y_zero_point: Value,
    z_scale: Value,
    z_zero_point: Value,
) -> Value:
    """The numbers of x where the condition holds, else of y, as points on the scale of z."""
    real = condition.where(_real(x, x_scale, x_zero_point), _real(y, y_scale, y_zero_point))
    return _points(real, z_scale, z_zero_point, x.dtype)


@op("QLinearConv", domain=MICROSOFT)
def microsoft_qlinear_conv(
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
    channels_last: int = 0,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """QLinearConv, also of tensors whose channels come last."""
    y = qlinear_conv(
        channels_first(x) if channels_last else x,
        x_scale,
        x_zero_point,
        w,
        w_scale,
        w_zero_point,
        y_scale,
        y_zero_point,
        b,
        group=group,
        kernel_shape=kernel_shape,
        moves=moves,
    )
    return _last(y, channels_last)


@op("QGemm", domain=MICROSOFT)
def qgemm(
    a: Value,
    a_scale: Value,
    a_zero_point: Value,
    b: Value,
    b_scale: Value,
    b_zero_point: Value,
    c: Value | None = None,
    y_scale: Value | None = None,
    y_zero_point: Value | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    """alpha * A @ B + C, C on the scale alpha * a_scale * b_scale; real if y has no scale."""
    left = a.transpose(1, 0) if transA else a
    right = b.transpose(1, 0) if transB else b
    total = multiply_integers(left, right, a_zero_point, b_zero_point)
    if c is not None:
        total = total + spread_over(c, "the bias C", total.shape)
    scale = single(a_scale, "the scale of a") * of_columns(b_scale, "the scale of b", right)
    real = total.cast(dt.F32) * (scale * alpha)
    if y_scale is None:
        return real
    return _points(real, y_scale, y_zero_point, a.dtype if y_zero_point is None else y_zero_point.dtype)


@op("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(
    a: Value,
    b: Value,
    a_scale: Value,
    b_scale: Value,
    a_zero_point: Value | None = None,
    b_zero_point: Value | None = None,
    bias: Value | None = None,
) -> Value:
    """The real product of points a and b, plus bias."""
    total = multiply_integers(a, b, a_zero_point, b_zero_point).cast(a_scale.dtype)
    left, right = of_rows(a_scale, "the scale of a", a), of_columns(b_scale, "the scale of b", b)
    y = total * (left * right)
    return y if bias is None else y + spread_over(bias, "the bias", y.shape)


@op("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(
    a: Value, b: Value, b_scale: Value, b_zero_point: Value | None = None, bias: Value | None = None
) -> Value:
    """The real product of a, quantised by its own range, and the points b, plus bias."""
    points, step, zero = quantize_dynamically(a)
    total = multiply_integers(points, b, zero, b_zero_point).cast(dt.F32)
    y = total * (step * of_columns(b_scale, "the scale of b", b))
    return y if bias is None else y + spread_over(bias, "the bias", y.shape)


@op("MulInteger", domain=MICROSOFT)
def mul_integer(a: Value, a_zero_point: Value | None, b: Value, b_zero_point: Value | None = None) -> Value:
    """(a - a_zero_point) * (b - b_zero_point), int32."""
    a_zero, b_zero = (
        None if v is None else single(v, f"the zero point of {of}")
        for v, of in ((a_zero_point, "a"), (b_zero_point, "b"))
    )
    return centred(a, a_zero) * centred(b, b_zero)


@op("MatMulInteger16", domain=MICROSOFT)
def matmul_integer_16(a: Value, b: Value) -> Value:
    """A @ B of 16-bit integers, in 32 bits."""
    wide = dt.U32 if a.dtype is dt.U16 and b.dtype is dt.U16 else dt.I32
    return matrix_product(a.cast(wide), b.cast(wide))


@op("QEmbedLayerNormalization", domain=MICROSOFT)
def quantized_embed_layer_normalization(
    input_ids: Value,
    segment_ids: Value | None,
    word_embedding: Value,
    position_embedding: Value,
    segment_embedding: Value | None,
    gamma: Value,
    beta: Value,
    mask: Value | None,
    word_embedding_scale: Value,
    position_embedding_scale: Value,
    segment_embedding_scale: Value | None,
    gamma_scale: Value,
    beta_scale: Value,
    word_embedding_zero_point: Value,
    position_embedding_zero_point: Value,
    segment_embedding_zero_point: Value | None,
    gamma_zero_point: Value,
    beta_zero_point: Value,
    *,
    epsilon: float = 1e-12,
) -> tuple[Value, ...]:
    """EmbedLayerNormalization of the numbers of quantised tables."""
    segments = None
    if segment_embedding is not None and segment_embedding_scale is not None:
        segments = _real(segment_embedding, segment_embedding_scale, segment_embedding_zero_point)
    return embed_layer_normalization(
        input_ids,
        segment_ids,
        _real(word_embedding, word_embedding_scale, word_embedding_zero_point),
        _real(position_embedding, position_embedding_scale, position_embedding_zero_point),
        segments,
        _real(gamma, gamma_scale, gamma_zero_point),
        _real(beta, beta_scale, beta_zero_point),
        mask,
        epsilon=epsilon,
    )[:2]
