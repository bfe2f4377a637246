"""Operators that carry a state from call to call: CausalConvWithState of ai.onnx and com.microsoft."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, concat, scalar
from sardonyx.ops.demands import along, ranked, shaped
from sardonyx.ops.onnx.conv import convolve, with_kernel
from sardonyx.ops.table import op
from sardonyx.ops.window import Steps, Window

MICROSOFT = "com.microsoft"


@op("CausalConvWithState", since=27)
def causal_conv_with_state(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    past_state: Value | None = None,
    *,
    activation: str = "none",
) -> tuple[Value, Value]:
    """Every channel of x [B, C, L] convolved with what came before; the state is the end of the input."""
    return _causal(x, weight, bias, past_state, activation, 1)


def _causal(
    x: Value, weight: Value, bias: Value | None, past: Value | None, activation: str, dilation: int
) -> tuple[Value, Value]:
    if activation not in ("none", "silu", "swish"):
        raise UnsupportedOp(f'activation="{activation}"')
    ranked(x, "the input", 3)
    ranked(weight, "the weight", 3)
    weight = with_kernel(weight, ())
    taps = int(weight.shape[2])  # type: ignore[arg-type]
    reach = (taps - 1) * dilation
    batch, channels, length = x.shape
    weight = shaped(weight, "the weight", channels, 1, taps)
    if past is None:
        before = scalar(0, x.dtype).broadcast((batch, channels, reach))
    else:
        before = shaped(past, "past_state", batch, channels, reach)
    whole = x if reach == 0 else concat([before, x], 2)
    y = _depthwise(whole, weight, taps, dilation).slice((0, 0, 0), (batch, channels, length))
    if bias is not None:
        y = y + along(bias, "the bias", y, 1)
    state = whole.slice((0, 0, whole.shape[2] - reach), (batch, channels, reach))
    return y if activation == "none" else y * y.sigmoid(), state


def _depthwise(x: Value, weight: Value, taps: int, dilation: int) -> Value:
    channels = weight.shape[0]
    if isinstance(channels, int):
        return convolve(x, weight, Window.of(x.shape[2:], (taps,), Steps(dilations=(dilation,))), channels)
    views = x.window((2,), (taps,), (1,), (dilation,))
    return (views * weight.reshape((1, channels, 1, taps))).sum(3).reshape(views.shape[:3])


@op("CausalConvWithState", domain=MICROSOFT)
def microsoft_causal_conv_with_state(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    past_state: Value | None = None,
    *,
    activation: str = "none",
    channels_last: int = 0,
    dilation: int = 1,
    input_channel_offset: int = 0,
    input_channels: int = 0,
    ndim: int = 1,
    state_channels_last: int = -1,
    state_length: int = 0,
    state_update_capacity: int = 0,
    state_window: int = 0,
) -> tuple[Value, Value]:
    """CausalConvWithState, also with gaps between taps and with channels after the steps."""
    special = (input_channel_offset, input_channels, state_length, state_update_capacity, state_window)
    if ndim != 1 or any(special) or state_channels_last >= 0:
        raise UnsupportedOp(
            "CausalConvWithState over several axes, with a window of states or for GPUs alone"
        )
    if not channels_last:
        return _causal(x, weight, bias, past_state, activation, dilation)
    past = None if past_state is None else _channels_second(past_state)
    y, state = _causal(_channels_second(x), weight, bias, past, activation, dilation)
    return _channels_last(y, x), _channels_last(state, x)


def _channels_second(x: Value) -> Value:
    """[B, L, channels...] as [B, C, L]."""
    return x.reshape((*x.shape[:2], dims.product(x.shape[2:]))).transpose(0, 2, 1)


def _channels_last(y: Value, like: Value) -> Value:
    return y.transpose(0, 2, 1).reshape((y.shape[0], y.shape[2], *like.shape[2:]))
