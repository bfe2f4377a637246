"""Calls of convolutions of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import (
    WIDTHS,
    Windows,
    convolution,
    deformed,
    largest,
    placed,
    sizes,
    transposed,
    wide,
    windows,
    with_bias,
)
from tests.property.operators.draw import Array, Draw, kind_of
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, Fed, Fixed, recipe

CONTRIB = "com.microsoft"


def channels(d: Draw) -> tuple[int, int, int]:
    """Groups, and channels that go into and come out of each."""
    kind = d.one_of("one", "few", "depthwise")
    if kind == "depthwise":
        return d.one_of(*WIDTHS), 1, d.one_of(1, 1, 2)
    return (1 if kind == "one" else d.one_of(2, 3)), d.one_of(*WIDTHS), d.one_of(*WIDTHS)


def maybe_fixed(d: Draw, value: Any) -> Any:
    """Weights are known in most models."""
    return Fixed(value) if d.integer(0, 3) else value


def images(d: Draw, count: int, w: Windows) -> Array:
    """Images whose special values make the same sum in any order."""
    return d.array((d.one_of(1, 2, 3, 0), count, *w.n), specials="nonfinite")


@recipe("Conv")
def conv(d: Draw) -> Call:
    w = windows(d)
    group, per, outputs = channels(d)
    x = images(d, group * per, w)
    weights = d.within((group * outputs, per, *w.kernel), -2, 2)
    b = d.maybe(d.within((group * outputs,), -2, 2))

    def judge(x: Array, weights: Array, b: Array | None) -> Array:
        return with_bias(convolution(x, weights, w, group), b).astype(x.dtype)

    attributes = w.attributes(d, *(["kernel_shape"] if d.flag() else []))
    inputs = [x, maybe_fixed(d, weights), b if b is None else maybe_fixed(d, b)]
    most = largest(convolution(sizes(x), sizes(weights), w, group))
    call: dict[str, Any] = {"length": per * w.taps, "magnitude": most, "group": group}
    return Call(inputs, judge=formula(judge), **call, **attributes)


@recipe("ConvTranspose")
def conv_transpose(d: Draw) -> Call:
    w, size, attributes = _backwards(d)
    group, per, outputs = channels(d)
    x = d.array((d.one_of(1, 2, 0), group * per, *w.out), specials="nonfinite")
    weights = d.within((group * per, outputs, *w.kernel), -2, 2)
    b = d.maybe(d.within((group * outputs,), -2, 2))

    def judge(x: Array, weights: Array, b: Array | None) -> Array:
        return with_bias(transposed(x, weights, w, size, group), b).astype(x.dtype)

    inputs = [x, maybe_fixed(d, weights), b if b is None else maybe_fixed(d, b)]
    most = largest(transposed(sizes(x), sizes(weights), w, size, group))
    call: dict[str, Any] = {"length": per * w.taps, "magnitude": most, "group": group}
    return Call(inputs, judge=formula(judge), **call, **attributes)


def _backwards(d: Draw, *ways: str) -> tuple[Windows, list[int], dict[str, Any]]:
    """Windows whose positions are the input, the sizes they came from, and the attributes that say so."""
    rank = d.one_of(2, 1, 3)
    pick = range(rank)
    kernel = [d.one_of(3, 1, 2, 4) for _ in pick]
    strides, dilations = [d.one_of(1, 2, 3, 4) for _ in pick], [d.one_of(1, 1, 2, 3, 6) for _ in pick]
    given = [d.integer(1, 4) for _ in pick]
    extra = [d.integer(0, max(strides[a], dilations[a]) - 1) if d.flag() else 0 for a in pick]
    full = [(given[a] - 1) * strides[a] + extra[a] + (kernel[a] - 1) * dilations[a] + 1 for a in pick]
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "kernel_shape": kernel}
    if any(extra):
        attributes["output_padding"] = extra
    how = d.one_of(*(ways or ("pads", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "shape")))
    low, size = [0] * rank, full
    if how == "pads":
        low = [d.integer(0, min(2, (full[a] - 1) // 2)) for a in pick]
        high = [d.integer(0, min(2, full[a] - 1 - low[a])) for a in pick]
        attributes["pads"] = low + high
        size = [full[a] - low[a] - high[a] for a in pick]
    elif how == "VALID":
        attributes["auto_pad"] = how
    else:
        upper = how == "SAME_UPPER"
        if how == "shape":
            size = [d.integer(max(1, full[a] - 3), full[a]) for a in pick]
            attributes["output_shape"] = size
            if d.flag():
                attributes["auto_pad"] = d.one_of("SAME_UPPER", "SAME_LOWER")
            upper = attributes.get("auto_pad") == "SAME_UPPER"
        else:
            attributes["auto_pad"] = how
            size = [given[a] * strides[a] for a in pick]
        total = [max(full[a] - size[a], 0) for a in pick]
        low = [total[a] // 2 if upper else total[a] - total[a] // 2 for a in pick]
    w = placed(size, kernel, strides, dilations, [0] * (2 * rank))
    lists = (w.n, w.kernel, w.strides, w.dilations, w.pads)
    return Windows(*lists, "NOTSET", False, tuple(low), tuple(given)), size, attributes


@recipe("ConvInteger")
def conv_integer(d: Draw) -> Call:
    w = windows(d)
    group, per, outputs = channels(d)
    kind = d.type("T2")
    x = d.within((d.one_of(1, 2, 0), group * per, *w.n), *_ends(d.element))
    weights = d.within((group * outputs, per, *w.kernel), *_ends(kind), kind)
    x_zero = d.maybe(d.within((), *_ends(d.element)))
    w_zero = (
        None if x_zero is None else d.maybe(d.within(d.one_of((), (group * outputs,)), *_ends(kind), kind))
    )

    def judge(x: Array, weights: Array, x_zero: Array | None, w_zero: Array | None) -> Array:
        points, taps = _centred(x, x_zero, 1), _centred(weights, w_zero, 0)
        return convolution(points, taps, w, group).astype(np.int32)

    inputs = [x, maybe_fixed(d, weights), x_zero, w_zero]
    return Call(inputs, judge=formula(judge), group=group, **w.attributes(d))


def _ends(dtype: Any) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _centred(x: Array, zero: Array | None, axis: int) -> Array:
    if zero is None:
        return x.astype(np.int64)
    shape = [-1 if a == axis and zero.size > 1 else 1 for a in range(x.ndim)]
    return x.astype(np.int64) - zero.astype(np.int64).reshape(shape)


@recipe("Col2Im", types="f32 f16 bf16 f64 i32 u8")
def col2im(d: Draw) -> Call:
    w = windows(d, automatic=False)
    count, batch = d.one_of(1, 2, 3), d.one_of(1, 2, 0)
    low = 0 if kind_of(d.element) == "u" else -3
    columns = d.within((batch, count * w.taps, int(np.prod(w.out))), low, 3)

    def judge(columns: Array, image: Array, block: Array) -> Array:
        one_hot = np.eye(w.taps).reshape(w.taps, 1, *w.kernel)
        y = transposed(columns.reshape(batch * count, w.taps, *w.out), one_hot, w, w.n, 1)
        return y.reshape(batch, count, *w.n).astype(columns.dtype)

    shapes = [Fixed(np.array(size, np.int64)) for size in (w.n, w.kernel)]
    attributes = w.attributes(d, "kernel_shape", "auto_pad")
    return Call([columns, *shapes], judge=formula(judge), length=w.taps, **attributes)


@recipe("DeformConv", opsets=(19, 22))
def deform_conv(d: Draw) -> Call:
    w = windows(d, automatic=False, ranks=(2,))
    group, offset_group = d.one_of(1, 2), d.one_of(1, 2)
    per, outputs, batch = d.one_of(2, 4, 16, 18), d.one_of(1, 2, 16), d.one_of(1, 2, 0)
    x = d.within((batch, group * per, *w.n), -3, 3)
    weights = d.within((group * outputs, per, *w.kernel), -2, 2)
    # Quarters, so that no rounding moves a place over the border.
    offset = (d.within((batch, offset_group * w.taps * 2, *w.out), -8, 8, np.int64) / 4).astype(x.dtype)
    b = d.maybe(d.within((group * outputs,), -2, 2))
    mask = d.maybe(d.within((batch, offset_group * w.taps, *w.out), 0, 1))

    def judge(x: Array, weights: Array, offset: Array, b: Array | None, mask: Array | None) -> Array:
        columns = deformed(x, offset, mask, w, offset_group)
        y = np.zeros((batch, group, outputs, int(np.prod(w.out))))
        rows = wide(weights).reshape(group, outputs, per * w.taps)
        y += np.einsum("ngkp,gok->ngop", columns.reshape(batch, group, per * w.taps, y.shape[3]), rows)
        return with_bias(y.reshape(batch, group * outputs, *w.out), b).astype(x.dtype)

    attributes = w.attributes(d, "auto_pad") | {"group": group, "offset_group": offset_group}
    inputs = [Fed(x), maybe_fixed(d, weights), Fed(offset), b, mask if mask is None else Fed(mask)]
    return Call(
        inputs, judge=formula(judge), length=per * w.taps, magnitude=12.0 * per * w.taps, **attributes
    )


def quantised(d: Draw, kind: Any, count: int = 1) -> tuple[Array, Array]:
    """A scale and a zero point, or as many of them."""
    scale = d.within((count,) if count > 1 else d.one_of((), (1,)), 0.01, 0.2, np.float32)
    return scale, d.within(scale.shape, *_ends(kind), kind)


def points(real: Array, scale: Array, zero: Array) -> Array:
    """Numbers as points of the type of `zero`."""
    low, high = _ends(zero.dtype)
    moved = np.rint(real / scale.astype(np.float64).reshape(())) + zero.astype(np.float64).reshape(())
    return moved.clip(low, high).astype(zero.dtype)


@recipe("QLinearConv", opsets=(10,))
def qlinear_conv(d: Draw) -> Call:
    return _qlinear_conv(d, windows(d), {})


def _qlinear_conv(d: Draw, w: Windows, more: dict[str, Any]) -> Call:
    last = more.get("channels_last", 0)
    group, per, outputs = channels(d)
    kind = d.one_of(np.int8, np.uint8)
    x = d.within((d.one_of(1, 2, 0), group * per, *w.n), *_ends(d.element))
    weights = d.within((group * outputs, per, *w.kernel), *_ends(kind), kind)
    x_scale, x_zero = quantised(d, d.element)
    w_scale, w_zero = quantised(d, kind, d.one_of(1, group * outputs))
    if kind is np.int8:
        w_zero = np.zeros_like(w_zero)
    y_scale, y_zero = quantised(d, d.element)
    y_scale = y_scale * np.float32(per * w.taps)
    b = d.maybe(d.within((group * outputs,), -5000, 5000, np.int32))

    def judge(x: Array, *others: Array | None) -> Array:
        first = np.moveaxis(x, -1, 1) if last else x
        total = convolution(_centred(first, x_zero, 1), _centred(weights, w_zero, 0), w, group)
        factor = (x_scale * w_scale.reshape(-1) / y_scale).astype(np.float32).reshape(-1, *(1,) * len(w.n))
        y = points(with_bias(total, b).astype(np.float32) * factor, np.ones(()), y_zero)
        return np.moveaxis(y, 1, -1) if last else y

    given = [x_scale, x_zero, weights, w_scale, w_zero, y_scale, y_zero, b]
    inputs = [
        np.moveaxis(x, 1, -1).copy() if last else x,
        *(v if v is None else maybe_fixed(d, v) for v in given),
    ]
    return Call(inputs, judge=formula(judge), group=group, **w.attributes(d), **more)


@recipe("QLinearConv", domain=CONTRIB, types="u8 i8")
def qlinear_conv_of_the_peer(d: Draw) -> Call:
    return _qlinear_conv(d, windows(d), {"channels_last": d.one_of(0, 1)})


@recipe("NhwcConv", domain=CONTRIB, types="f32")
def nhwc_conv(d: Draw) -> Call:
    call = conv(d)
    first = call.judge

    def judge(model: Any, feeds: dict[str, Any], inputs: Any) -> list[Any]:
        (y,) = first(model, feeds, [np.moveaxis(inputs[0], -1, 1), *inputs[1:]])
        return [np.moveaxis(y, 1, -1)]

    call.inputs[0], call.judge = np.moveaxis(call.inputs[0], 1, -1).copy(), judge
    return call


ACTIVATIONS = {
    "Relu": ([], lambda x: np.maximum(x, 0)),
    "Tanh": ([], np.tanh),
    "Sigmoid": ([], lambda x: 1 / (1 + np.exp(-x))),
    "LeakyRelu": ([0.25], lambda x: np.where(x < 0, x * 0.25, x)),
    "Clip": ([-1.0, 2.0], lambda x: np.clip(x, -1, 2)),
    "HardSigmoid": ([0.25, 0.5], lambda x: np.clip(x * 0.25 + 0.5, 0, 1)),
}


@recipe("FusedConv", domain=CONTRIB, types="f32")
def fused_conv(d: Draw) -> Call:
    w = windows(d)
    group, per, outputs = channels(d)
    x = d.within((d.one_of(1, 2, 0), group * per, *w.n), -3, 3)
    weights = d.within((group * outputs, per, *w.kernel), -2, 2)
    b = d.maybe(d.within((group * outputs,), -2, 2))
    z = d.maybe(d.within((x.shape[0], group * outputs, *w.out), -2, 2))
    name = d.one_of(*ACTIVATIONS)
    params, function = ACTIVATIONS[name]

    def judge(x: Array, weights: Array, b: Array | None, z: Array | None) -> Array:
        y = with_bias(convolution(x, weights, w, group), b)
        return np.asarray(function(y if z is None else y + z)).astype(x.dtype)  # type: ignore[no-untyped-call]

    attributes: dict[str, Any] = {"activation": name, "group": group, **w.attributes(d)}
    if params:
        attributes["activation_params"] = params
    inputs = [x, maybe_fixed(d, weights), b, z]
    most = largest(convolution(sizes(x), sizes(weights), w, group)) + 4
    return Call(inputs, judge=formula(judge), length=per * w.taps, magnitude=most, **attributes)


@recipe("ConvTransposeWithDynamicPads", domain=CONTRIB, types="f32")
def conv_transpose_with_dynamic_pads(d: Draw) -> Call:
    w, size, attributes = _backwards(d, "pads")
    pads = attributes.pop("pads")
    group, per, outputs = channels(d)
    x = d.within((d.one_of(1, 2, 0), group * per, *w.out), -3, 3)
    weights = d.within((group * per, outputs, *w.kernel), -2, 2)
    b = d.maybe(d.within((group * outputs,), -2, 2))

    def judge(x: Array, weights: Array, pads: Array, b: Array | None) -> Array:
        return with_bias(transposed(x, weights, w, size, group), b).astype(x.dtype)

    most = largest(transposed(sizes(x), sizes(weights), w, size, group))
    call: dict[str, Any] = {"length": per * w.taps, "magnitude": most, "group": group}
    return Call([x, weights, np.array(pads, np.int64), b], judge=formula(judge), **call, **attributes)


@recipe("CausalConvWithState")
def causal_conv(d: Draw) -> Call:
    return _causal_conv(d, {})


@recipe("CausalConvWithState", domain=CONTRIB, types="f32")
def causal_conv_of_the_peer(d: Draw) -> Call:
    return _causal_conv(d, {"dilation": d.one_of(1, 2, 3), "channels_last": d.one_of(0, 1)})


def _causal_conv(d: Draw, more: dict[str, int]) -> Call:
    count, taps, length, batch = d.one_of(*WIDTHS), d.integer(1, 4), d.integer(1, 6), d.one_of(1, 2, 0)
    last, dilation = more.get("channels_last", 0), more.get("dilation", 1)
    reach = (taps - 1) * dilation
    x, past = (d.array((batch, count, n), specials="nonfinite") for n in (length, reach))
    weights, b = d.within((count, 1, taps), -2, 2), d.maybe(d.within((count,), -2, 2))
    given, activation = d.flag(), d.one_of("none", "silu", "swish")

    def judge(*_: Any) -> tuple[Array, Array]:
        whole = np.concatenate([past if given else np.zeros_like(past), x], 2)
        w = placed((length + reach,), (taps,), (1,), (dilation,), (0, 0))
        y = with_bias(convolution(whole, weights, w, count), b)
        y = y if activation == "none" else y / (1 + np.exp(-y))
        results = y.astype(x.dtype), whole[:, :, length:]
        return tuple(v.swapaxes(1, 2) for v in results) if last else results  # type: ignore[return-value]

    moved = [v.swapaxes(1, 2).copy() if last else v for v in (x, past)]
    inputs = [Fed(moved[0]), weights, b, Fed(moved[1]) if given else None]
    call: dict[str, Any] = {"length": taps, "magnitude": 40.0, "activation": activation}
    return Call(inputs, 2, judge=formula(judge), **call, **more)
