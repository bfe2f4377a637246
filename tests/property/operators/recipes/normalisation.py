"""Calls of normalisations: moments over axes, scale and shift."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tests.property.operators.definitions.windows import WIDTHS, wide
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, Fixed, recipe

CONTRIB = "com.microsoft"
LARGEST = 60.0
"""Numbers are drawn from -10 to 10, divided by deviations of mostly more than 1."""


def numbers(d: Draw, *shape: int, dtype: Any = None) -> Array:
    """Moderate numbers; now and then one is not finite."""
    x = d.within(shape, -10, 10, dtype)
    if x.size and d.integer(0, 3) == 3:
        x.reshape(-1)[d.integer(0, x.size - 1)] = d.one_of(np.nan, np.inf, -np.inf)
    return x


def positive(d: Draw, *shape: int, dtype: Any = None) -> Array:
    """Numbers well above zero."""
    return d.within(shape, 0.5, 4, dtype)


def parameter(d: Draw, *shape: int, dtype: Any = None) -> Any:
    """A scale or a shift, mostly known."""
    value = d.within(shape, -2, 2, dtype)
    return Fixed(value) if d.integer(0, 2) else value


def channel_shape(v: Array, x: Array) -> Array:
    """One number for each channel."""
    return wide(v).reshape(-1, *(1,) * (x.ndim - 2))


@recipe("BatchNormalization")
def batch_normalization(d: Draw) -> Call:
    count = d.one_of(*WIDTHS)
    x = numbers(d, d.one_of(1, 2, 3), count, *d.shape(0, 3, 1, 5))
    features = x.shape[1:] if d.opset < 9 and d.integer(0, 3) == 3 else (count,)
    # Moments are computed in float32, or in the wider type of x.
    free = d.opset >= 14 and d.element != np.float64
    kind = d.one_of(np.float32, np.float16, ml_dtypes.bfloat16) if free else d.element
    scaled = d.one_of(d.element, kind) if d.opset >= 15 else d.element
    scale, b = parameter(d, *features, dtype=scaled), parameter(d, *features, dtype=scaled)
    mean, var = d.within(features, -2, 2, kind), positive(d, *features, dtype=kind)
    training = bool(d.opset >= 14 and d.flag())
    momentum, epsilon = d.one_of(0.75, 0.25), d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array, b: Array, mean: Array, var: Array) -> Any:
        axes = (0, *range(2, x.ndim))
        shape = [-1 if a == 1 else 1 for a in range(x.ndim)] if len(features) == 1 else [1, *features]
        s, c, m, v = (wide(p).reshape(shape) for p in (scale, b, mean, var))
        if training:
            m, v = wide(x).mean(axes, keepdims=True), wide(x).var(axes, keepdims=True)
        y = ((wide(x) - m) / np.sqrt(v + epsilon) * s + c).astype(x.dtype)
        if not training:
            return y
        old = wide(mean) * momentum, wide(var) * momentum
        new = (m.reshape(-1) * (1 - momentum), v.reshape(-1) * (1 - momentum))
        return y, *((p + q).astype(kind) for p, q in zip(old, new, strict=True))

    attributes: dict[str, Any] = {"epsilon": epsilon}
    if d.opset >= 14:
        attributes |= {"momentum": momentum, "training_mode": int(training)}
    if d.opset < 9:
        attributes["spatial"] = int(len(features) == 1)
    if d.opset < 7:
        attributes["is_test"] = 1
    outputs = 3 if training else 1
    length, magnitude = x.size // count, LARGEST
    if training:  # the mean is one float32, and what it is off by is divided by the deviation as x is
        finite = np.where(np.isfinite(wide(x)), wide(x), 0.0)
        deviation = np.sqrt(finite.var((0, *range(2, x.ndim))) + epsilon)
        factor = wide(scale.value if isinstance(scale, Fixed) else scale) / deviation
        magnitude = max(LARGEST, float(np.abs(finite).max() * np.abs(factor).max()))
    return Call(
        [x, scale, b, mean, var], outputs, formula(judge, exact=True), length, magnitude, **attributes
    )


@recipe("InstanceNormalization")
def instance_normalization(d: Draw) -> Call:
    count = d.one_of(*WIDTHS)
    x = numbers(d, d.one_of(1, 2, 0), count, *d.shape(1, 3, 1, 17))
    epsilon = d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array, b: Array) -> Array:
        axes = tuple(range(2, x.ndim))
        y = normal(x, axes, epsilon) * channel_shape(scale, x) + channel_shape(b, x)
        return np.asarray(y).astype(x.dtype)

    inputs = [x, parameter(d, count), parameter(d, count)]
    length = int(np.prod(x.shape[2:]))
    return Call(inputs, judge=formula(judge), length=length, magnitude=200.0, epsilon=epsilon)


def normal(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """Without mean and deviation."""
    y = wide(x)
    return np.asarray((y - y.mean(axes, keepdims=True)) / np.sqrt(y.var(axes, keepdims=True) + epsilon))


@recipe("GroupNormalization")
def group_normalization(d: Draw) -> Call:
    groups, per = d.integer(1, 4), d.one_of(1, 2, 3, 16, 17)
    count = groups * per
    x = numbers(d, d.one_of(1, 2, 0), count, *d.shape(1, 3, 1, 5))
    sides = groups if d.opset < 21 else count
    epsilon = d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array, b: Array) -> Array:
        parts = x.reshape(x.shape[0], groups, int(np.prod(x.shape[1:])) // groups)
        y = normal(parts, (2,), epsilon).reshape(x.shape)
        s, c = (np.repeat(v, count // sides) for v in (scale, b))
        return np.asarray(y * channel_shape(s, x) + channel_shape(c, x)).astype(x.dtype)

    inputs = [x, parameter(d, sides), parameter(d, sides)]
    length = int(np.prod(x.shape[1:])) // groups
    call: dict[str, Any] = {"epsilon": epsilon, "num_groups": groups}
    return Call(inputs, judge=formula(judge), length=length, magnitude=200.0, **call)


@recipe("LayerNormalization", opsets=(17,))
def layer_normalization(d: Draw) -> Call:
    x = numbers(d, *d.shape(0, 2, 1, 5), *d.shape(1, 2, 1, 33))
    axis = d.axis(x.ndim)
    trailing = x.shape[axis % x.ndim :]
    epsilon = d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array, b: Array | None) -> Any:
        axes = tuple(range(axis % x.ndim, x.ndim))
        y = normal(x, axes, epsilon) * wide(scale)
        stash = np.float64 if x.dtype == np.float64 else np.float32
        mean = wide(x).mean(axes, keepdims=True)
        inverse = 1 / np.sqrt(wide(x).var(axes, keepdims=True) + epsilon)
        y = y if b is None else y + wide(b)
        return y.astype(x.dtype), mean.astype(stash), inverse.astype(stash)

    inputs = [x, parameter(d, *trailing), d.maybe(parameter(d, *trailing))]
    length = int(np.prod(trailing))
    outputs = (True, d.flag() and x.dtype != np.float64, d.flag() and x.dtype != np.float64)
    chosen = formula(
        lambda *v: tuple(r for r, wanted in zip(judge(*v), outputs, strict=True) if wanted), exact=True
    )
    return Call(inputs, outputs, chosen, length, magnitude=200.0, axis=axis, epsilon=epsilon)


@recipe("RMSNormalization")
def rms_normalization(d: Draw) -> Call:
    x = numbers(d, *d.shape(0, 2, 1, 5), *d.shape(1, 2, 1, 33))
    axis, epsilon = d.axis(x.ndim), d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array) -> Array:
        return np.asarray(rms(x, axis, epsilon) * wide(scale)).astype(x.dtype)

    trailing = x.shape[axis % x.ndim :]
    scale = parameter(d, *trailing)
    return Call([x, scale], judge=formula(judge), length=int(np.prod(trailing)), axis=axis, epsilon=epsilon)


def rms(x: Array, axis: int, epsilon: float) -> Array:
    """Divided by the root of the mean square."""
    axes = tuple(range(axis % x.ndim, x.ndim))
    return np.asarray(wide(x) / np.sqrt((wide(x) ** 2).mean(axes, keepdims=True) + epsilon))


@recipe("SimplifiedLayerNormalization", types="f32 f16 f64")
@recipe("SimplifiedLayerNormalization", domain=CONTRIB, types="f32 f16 f64")
def simplified_layer_normalization(d: Draw) -> Call:
    return rms_normalization(d)


@recipe("MeanVarianceNormalization")
def mean_variance_normalization(d: Draw) -> Call:
    x = numbers(d, d.one_of(1, 2, 3), d.one_of(*WIDTHS), d.integer(2, 5), d.integer(1, 5))
    axes = d.maybe([0, 2, 3] if d.flag() else [1, -1])

    def judge(x: Array) -> Array:
        over = (0, 2, 3) if axes is None else tuple(axes)
        y = wide(x)
        return np.asarray((y - y.mean(over, keepdims=True)) / (y.std(over, keepdims=True) + 1e-9)).astype(
            x.dtype
        )

    return Call([x], judge=formula(judge), length=x.size, magnitude=200.0, axes=axes)


@recipe("Dropout")
def dropout(d: Draw) -> Call:
    x = d.array(d.shape())
    masked = d.opset >= 10 and d.flag()

    def judge(x: Array, *_: Any) -> Any:
        return (x, np.ones(x.shape, np.bool_)) if masked else x

    inputs: list[Any] = [x]
    attributes: dict[str, Any] = {}
    if d.opset < 12:
        attributes["ratio"] = 0.3
        if d.opset < 7:
            attributes["is_test"] = 1
    else:
        ratio = d.maybe(np.asarray(0.3, np.float32))
        inputs += [ratio, d.maybe(np.asarray(False)) if ratio is not None else None]
    return Call(inputs, 1 + masked, formula(judge, exact=True), **attributes)


@recipe("SkipLayerNormalization", domain=CONTRIB, types="f32 f16")
def skip_layer_normalization(d: Draw) -> Call:
    shape = (d.one_of(1, 2, 0), d.integer(1, 4), d.one_of(*WIDTHS))
    x, bias = numbers(d, *shape), d.maybe(d.within(shape[2:], -2, 2))
    skip = d.within(d.one_of(shape, (1, *shape[1:]), shape[1:]), -2, 2)
    scale, b = parameter(d, shape[2]), d.maybe(parameter(d, shape[2]))
    epsilon, asked = d.one_of(2.0**-17, 2.0**-7), d.flag()

    def judge(x: Array, skip: Array, scale: Array, b: Array | None, bias: Array | None) -> Any:
        total = wide(x) + wide(skip) + (0 if bias is None else wide(bias))
        y = normal(total, (2,), epsilon) * wide(scale) + (0 if b is None else wide(b))
        results = (y.astype(x.dtype), total.astype(x.dtype))
        return results if asked else results[0]

    inputs = [x, skip, scale, b, bias]
    return Call(
        inputs, (True, False, False, asked), formula(judge), shape[2], magnitude=200.0, epsilon=epsilon
    )


@recipe("SkipSimplifiedLayerNormalization", domain=CONTRIB, types="f32 f16")
def skip_simplified_layer_normalization(d: Draw) -> Call:
    shape = (d.one_of(1, 2, 0), d.integer(1, 4), d.one_of(*WIDTHS))
    x, skip = numbers(d, *shape), d.within(shape, -2, 2)
    scale, bias = parameter(d, shape[2]), d.maybe(d.within(shape[2:], -2, 2))
    epsilon, asked = d.one_of(2.0**-17, 2.0**-7), d.flag()

    def judge(x: Array, skip: Array, scale: Array, bias: Array | None) -> Any:
        total = wide(x) + wide(skip) + (0 if bias is None else wide(bias))
        results = ((rms(total, -1, epsilon) * wide(scale)).astype(x.dtype), total.astype(x.dtype))
        return results if asked else results[0]

    inputs = [x, skip, scale, bias]
    return Call(
        inputs, (True, False, False, asked), formula(judge), shape[2], magnitude=60.0, epsilon=epsilon
    )


@recipe("GroupNorm", domain=CONTRIB, types="f32 f16")
def group_norm(d: Draw) -> Call:
    groups, per, last = d.integer(1, 3), d.one_of(1, 2, 16), d.one_of(1, 0)
    count, activation = groups * per, d.one_of(0, 1)
    x = numbers(d, d.one_of(1, 2, 0), count, d.integer(1, 4), d.integer(1, 4))

    def judge(x: Array, scale: Array, b: Array) -> Array:
        first = np.moveaxis(x, -1, 1) if last else x
        parts = first.reshape(first.shape[0], groups, int(np.prod(first.shape[1:])) // groups)
        y = normal(parts, (2,), 2.0**-17).reshape(first.shape)
        y = y * channel_shape(scale, first) + channel_shape(b, first)
        y = y / (1 + np.exp(-y)) if activation else y
        return np.asarray(np.moveaxis(y, 1, -1) if last else y).astype(x.dtype)

    inputs = [
        np.moveaxis(x, 1, -1).copy() if last else x,
        *(parameter(d, count, dtype=np.float32) for _ in "sb"),
    ]
    call: dict[str, Any] = {"groups": groups, "activation": activation, "channels_last": last}
    call["epsilon"] = 2.0**-17
    return Call(inputs, judge=formula(judge), length=x.size // groups, magnitude=200.0, **call)


@recipe("GatedRMSNorm", domain=CONTRIB, types="f32 f16 bf16")
def gated_rms_norm(d: Draw) -> Call:
    width, parts = d.one_of(*WIDTHS), d.integer(1, 3)
    shape = (*d.shape(0, 2, 0, 4), width * parts)
    activation, epsilon = d.one_of("silu", "swish", "sigmoid"), d.one_of(2.0**-17, 2.0**-7)

    def judge(x: Array, scale: Array, gate: Array) -> Array:
        y = rms(x.reshape(*x.shape[:-1], parts, width), -1, epsilon) * wide(scale)
        opened = 1 / (1 + np.exp(-wide(gate)))
        opened = opened if activation == "sigmoid" else opened * wide(gate)
        return np.asarray(y.reshape(x.shape) * opened).astype(x.dtype)

    inputs = [numbers(d, *shape), parameter(d, width), d.within(shape, -4, 4)]
    return Call(inputs, judge=formula(judge), length=width, activation=activation, epsilon=epsilon)


@recipe("BranchwiseRMSNorm", domain=CONTRIB, types="f32 f16 bf16")
def branchwise_rms_norm(d: Draw) -> Call:
    branches, width, flat = d.integer(1, 3), d.one_of(*WIDTHS), d.flag()
    lead, epsilon = d.shape(0, 2, 0, 4), d.one_of(2.0**-17, 2.0**-7)
    x = numbers(d, *lead, *((branches * width,) if flat else (branches, width)))
    scale = d.maybe(d.within(d.one_of((width,), (branches * width,), (branches, width)), -2, 2))

    def judge(x: Array, scale: Array | None) -> Array:
        y = rms(x.reshape(*lead, branches, width), -1, epsilon)
        if scale is not None:
            y = y * wide(scale).reshape(-1, width)
        return y.reshape(x.shape).astype(x.dtype)

    more = {"num_branches": branches} if flat else {}
    return Call([x, scale], judge=formula(judge), length=width, epsilon=epsilon, **more)
