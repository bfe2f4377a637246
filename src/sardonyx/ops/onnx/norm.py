"""Normalisations: means, variances, and scale and shift, as formulas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from sardonyx.base import dim as dims
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value
from sardonyx.ops.demands import ANY, along, element_type, equal, ranked, shaped, spread_over
from sardonyx.ops.precision import widened
from sardonyx.ops.table import Node, op
from sardonyx.ops.window import Ints


def scale_and_shift(x: Value, scale: Value, b: Value, mean: Value, var: Value, epsilon: float) -> Value:
    """(x - mean) / sqrt(var + epsilon) * scale + b, as x * factor + offset with both computed once.

    The others have one number for each channel of x, or for each of its features.
    """
    wide = max((widened(scale).dtype, widened(mean).dtype), key=lambda d: d.bits)
    factor = scale.cast(wide) / (var.cast(wide) + epsilon).sqrt()
    offset = b.cast(wide) - mean.cast(wide) * factor
    y = widened(x)
    y = y.cast(wide) if wide.bits > y.dtype.bits else y
    shape = (1, *factor.shape, *(1,) * (x.rank - 1 - factor.rank))
    return (y * factor.reshape(shape).cast(y.dtype) + offset.reshape(shape).cast(y.dtype)).cast(x.dtype)


def moments(x: Value, axes: Sequence[int]) -> tuple[Value, Value, Value]:
    """Mean, deviation from it, and variance over axes, which stay as 1."""
    mean = x.mean(*axes)
    deviation = x - mean
    return mean, deviation, (deviation * deviation).mean(*axes)


@op("BatchNormalization")
def batch_normalization_1(
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    var: Value,
    *,
    node: Node,
    consumed_inputs: Ints = (),
    epsilon: float = 1e-5,
    is_test: int = 0,
    momentum: float = 0.9,
    spatial: int = 1,
) -> tuple[Value | None, ...]:
    """Training if it has more than one result, unless `is_test`."""
    training = not is_test and any(node.outputs[1:])
    features = 1 if spatial else max(1, x.rank - 1)
    return _batch_normalization(x, (scale, b, mean, var), epsilon, momentum, training, features)


@op("BatchNormalization", since=7)
def batch_normalization_7(
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    var: Value,
    *,
    node: Node,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
) -> tuple[Value | None, ...]:
    """Training if it has more than one result."""
    features = 1 if spatial else max(1, x.rank - 1)
    return _batch_normalization(x, (scale, b, mean, var), epsilon, momentum, any(node.outputs[1:]), features)


@op("BatchNormalization", since=9)
def batch_normalization_9(
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    var: Value,
    *,
    node: Node,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
) -> tuple[Value | None, ...]:
    """Training if it has more than one result."""
    return _batch_normalization(x, (scale, b, mean, var), epsilon, momentum, any(node.outputs[1:]))


@op("BatchNormalization", since=14)
def batch_normalization(
    x: Value,
    scale: Value,
    b: Value,
    input_mean: Value,
    input_var: Value,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> tuple[Value | None, ...]:
    """(x - mean) / sqrt(var + epsilon) * scale + b per channel; training uses the batch's own statistics."""
    given = (scale, b, input_mean, input_var)
    return _batch_normalization(x, given, epsilon, momentum, bool(training_mode))


def _batch_normalization(
    x: Value,
    given: tuple[Value, Value, Value, Value],
    epsilon: float,
    momentum: float,
    training: bool,
    features: int = 1,
) -> tuple[Value, ...]:
    """`given` are scale, bias, mean and variance, each of as many `features` as x has from axis 1 on."""
    if x.rank == 1:
        y, *rest = _batch_normalization(x.reshape((*x.shape, 1)), given, epsilon, momentum, training)
        return y.reshape(x.shape), *rest
    names = ("the scale", "the bias B", "the mean", "the variance")
    sizes = x.shape[1 : 1 + features]
    scale, b, mean, var = (shaped(v, what, *sizes) for v, what in zip(given, names, strict=True))
    if not training:
        return scale_and_shift(x, scale, b, mean, var, epsilon), mean, var, mean, var
    axes = (0, *range(1 + features, x.rank))
    found, deviation, spread = moments(widened(x), axes)
    around = (1, *sizes, *(1,) * (x.rank - 1 - features))
    wide_scale, wide_bias = (v.reshape(around).cast(deviation.dtype) for v in (scale, b))
    factor = 1.0 / (spread.reshape(around) + epsilon).sqrt() * wide_scale
    y = (deviation * factor + wide_bias).cast(x.dtype)
    found, spread = found.reshape(mean.shape), spread.reshape(var.shape)
    batch_mean, batch_var = found.cast(mean.dtype), spread.cast(var.dtype)
    running_mean = mean * momentum + batch_mean * (1 - momentum)
    running_var = var * momentum + batch_var * (1 - momentum)
    return y, running_mean, running_var, batch_mean, batch_var


@op("InstanceNormalization")
def instance_normalization(
    x: Value, scale: Value, b: Value, *, epsilon: float = 1e-5, consumed_inputs: Ints = ()
) -> Value:
    """(x - mean) / sqrt(var + epsilon) * scale + b with the moments of every channel of every sample."""
    scale = along(scale, "the scale", x, 1)
    x = _as_long_as(x, scale)
    wide = widened(x)
    _, deviation, var = moments(wide, range(2, x.rank))
    factor = 1.0 / (var + epsilon).sqrt() * scale.cast(wide.dtype)
    return (deviation * factor + along(b, "the bias B", x, 1).cast(wide.dtype)).cast(x.dtype)


def _stash(x: Value, stash_type: int) -> Value:
    dtype = element_type(stash_type, "stash_type") if stash_type else x.dtype
    return x.cast(dtype) if dtype.bits > x.dtype.bits else x


def _trailing(v: Value, what: str, x: Value, axis: int) -> Value:
    if v.size == dims.product(x.shape[axis:]):
        return v.reshape((*(1,) * axis, *x.shape[axis:]))
    return spread_over(v, what, x.shape)


def _as_long_as(x: Value, v: Value) -> Value:
    """x, whose open sizes are those that a value known to spread over it has."""
    shape = list(x.shape)
    for number, size in enumerate(v.shape, x.rank - v.rank):
        if isinstance(size, int) and size != 1:
            shape[number] = size
    return x.reshape(shape)


def normalize_layer(
    x: Value,
    scale: Value | None,
    b: Value | None,
    axis: int,
    epsilon: float,
    stash: DType,
    result: DType | None = None,
) -> tuple[Value, Value, Value]:
    """LayerNormalization computed in `stash`: the result (of x's type by default), mean, 1 / deviation."""
    axis = x.axis(axis)
    if scale is not None:
        scale = _trailing(scale.cast(stash), "the scale", x, axis)
        x = _as_long_as(x, scale)
    wide = x.cast(stash)
    mean, deviation, var = moments(wide, range(axis, x.rank))
    inverse = 1.0 / (var + epsilon).sqrt()
    y = deviation * inverse
    if scale is not None:
        y = y * scale
    if b is not None:
        y = y + _trailing(b.cast(stash), "the bias B", x, axis)
    return y.cast(result or x.dtype), mean, inverse


@op("LayerNormalization", since=1, strict=False)
def layer_normalization_1(
    x: Value,
    scale: Value,
    b: Value | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Value, Value, Value]:
    """LayerNormalization whose result has the type of the scale, as it was before ONNX took it up."""
    return normalize_layer(x, scale, b, axis, epsilon, _stash(x, stash_type).dtype, scale.dtype)


@op("LayerNormalization", since=17, strict=False)
def layer_normalization(
    x: Value,
    scale: Value,
    b: Value | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Value, Value, Value]:
    """(x - mean) / sqrt(var + epsilon) * scale + b with the moments of the axes from `axis` on."""
    return normalize_layer(x, scale, b, axis, epsilon, _stash(x, stash_type).dtype)


def normalize_rms(
    x: Value, scale: Value | None, axis: int, epsilon: float, stash: DType, result: DType | None = None
) -> tuple[Value, Value]:
    """RMSNormalization computed in `stash`: the result, of the type of x by default, and 1 / RMS."""
    axis = x.axis(axis)
    if scale is not None:
        scale = _trailing(scale.cast(stash), "the scale", x, axis)
        x = _as_long_as(x, scale)
    wide = x.cast(stash)
    inverse = 1.0 / ((wide * wide).mean(*range(axis, x.rank)) + epsilon).sqrt()
    y = wide * inverse
    if scale is not None:
        y = y * scale
    return y.cast(result or x.dtype), inverse


@op("RMSNormalization", since=23)
def rms_normalization(
    x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Value:
    """x / sqrt(mean(x * x) + epsilon) * scale over the axes from `axis` on."""
    return normalize_rms(x, scale, axis, epsilon, _stash(x, stash_type).dtype)[0]


def _groups(x: Value, num_groups: int) -> Value:
    if num_groups < 1:
        raise ShapeError(f"{num_groups} groups; there must be at least one")
    per = dims.floordiv(x.shape[1], num_groups)
    equal(per * num_groups, x.shape[1], f"the channels do not split into {num_groups} groups")
    return x.reshape((x.shape[0], num_groups, per, dims.product(x.shape[2:])))


@op("GroupNormalization", since=18)
def group_normalization_18(
    x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5
) -> Value:
    """GroupNormalization whose scale and bias are one number for each group."""
    groups = _groups(widened(x), num_groups)
    scale, bias = (along(v, what, groups, 1) for v, what in ((scale, "the scale"), (bias, "the bias")))
    return _normalize_groups(groups, scale, bias, epsilon).reshape(x.shape).cast(x.dtype)


@op("GroupNormalization", since=21)
def group_normalization(
    x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Value:
    """(x - mean) / sqrt(var + epsilon) * scale + bias with the moments of groups of channels."""
    x = _as_long_as(x, along(scale, "the scale", x, 1))
    groups = _groups(_stash(x, stash_type), num_groups)
    shape = (1, num_groups, groups.shape[2], 1)
    scale = shaped(scale, "the scale", x.shape[1]).reshape(shape)
    bias = shaped(bias, "the bias", x.shape[1]).reshape(shape)
    return _normalize_groups(groups, scale, bias, epsilon).reshape(x.shape).cast(x.dtype)


def _normalize_groups(groups: Value, scale: Value, bias: Value, epsilon: float) -> Value:
    _, deviation, var = moments(groups, (2, 3))
    factor = 1.0 / (var + epsilon).sqrt() * scale.cast(groups.dtype)
    return deviation * factor + bias.cast(groups.dtype)


_FEW_NEIGHBOURS = 8
"""Channels that are read anew for each sum of their squares: sums that are stored would be read again too."""


@op("LRN")
def lrn(x: Value, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Value:
    """x / (bias + alpha / size * sum of the squares of `size` neighbouring channels) ** beta."""
    ranked(x, "the input", 2, ANY)
    if size < 1:
        raise ShapeError(f"a size of {size}; it must be positive")
    low = (size - 1) // 2
    rest = (0,) * (x.rank - 2)
    wide = widened(x)
    around = wide.pad((0, low, *rest), (0, size - 1 - low, *rest))
    if size <= _FEW_NEIGHBOURS:
        near = [around.slice((0, n, *rest), x.shape) for n in range(size)]
        total = reduce(add, (neighbour * neighbour for neighbour in near))
    else:
        windows = around.window((1,), (size,), (1,), (1,))
        total = (windows * windows).sum(x.rank).reshape(x.shape)
    return (wide * (total * (alpha / size) + bias).pow(-beta)).cast(x.dtype)


@op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(x: Value, *, axes: Ints = (0, 2, 3)) -> Value:
    """(x - mean) / (deviation + 1e-9) over those of the axes that x has."""
    axes = [axis for axis in axes if -x.rank <= axis < x.rank]
    if not axes:
        raise ShapeError(f"a tensor of shape {list(x.shape)} has none of the axes")
    _, deviation, var = moments(widened(x), axes)
    return (deviation / (var.sqrt() + 1e-9)).cast(x.dtype)
