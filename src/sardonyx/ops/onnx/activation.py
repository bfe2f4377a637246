"""Activation functions, as formulas."""

from __future__ import annotations

import math

from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, scalar
from sardonyx.ops.precision import in_single
from sardonyx.ops.table import op


@op("Relu", since=1)
def relu(x: Value) -> Value:
    """max(x, 0)."""
    return x.max(0)


@op("LeakyRelu", since=1)
@in_single
def leaky_relu(x: Value, *, alpha: float = 0.01) -> Value:
    """x above 0, alpha * x below."""
    return x.max(0) + x.min(0) * alpha


@op("PRelu", since=1)
def prelu_channels(x: Value, slope: Value) -> Value:
    """x above 0, slope * x below; one slope, or one per channel."""
    per_channel = slope.rank == 1 and slope.size != 1 and x.rank > 1
    return prelu(x, slope.reshape(slope.shape + (1,) * (x.rank - 2)) if per_channel else slope)


@op("PRelu", since=7)
def prelu(x: Value, slope: Value) -> Value:
    """x where it is not below 0, else slope * x."""
    return x.lt(0).where(x * slope, x)


@op("Elu", since=1)
@in_single
def elu(x: Value, *, alpha: float = 1.0) -> Value:
    """x above 0, alpha * (exp(x) - 1) below."""
    return x.max(0) + (x.min(0).exp() - 1) * alpha


@op("Selu", since=1)
@in_single
def selu(x: Value, *, alpha: float = 1.6732, gamma: float = 1.0507) -> Value:
    """gamma times Elu; the defaults of opset 1 lack digits."""
    return elu(x, alpha=alpha) * gamma


@op("Selu", since=6)
@in_single
def selu_exact(
    x: Value, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Value:
    """gamma times Elu."""
    return elu(x, alpha=alpha) * gamma


@op("Celu", since=12)
@in_single
def celu(x: Value, *, alpha: float = 1.0) -> Value:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    return x.max(0) + (((x / alpha).exp() - 1) * alpha).min(0)


@op("Gelu", since=20)
@in_single
def gelu(x: Value, *, approximate: str = "none") -> Value:
    """x * P(normal variable <= x), exactly by erf or approximately by tanh."""
    if approximate == "none":
        return x * (((x * math.sqrt(0.5)).unary("erf") + 1) * 0.5)
    if approximate != "tanh":
        raise UnsupportedOp(f'approximate="{approximate}"')
    return x * ((((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)).tanh() + 1) * 0.5)


@op("HardSigmoid", since=1)
@in_single
def hard_sigmoid(x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    """max(0, min(1, alpha * x + beta))."""
    return (x * alpha + beta).min(1).max(0)


@op("HardSwish", since=14)
@in_single
def hard_swish(x: Value) -> Value:
    """x * max(0, min(1, x / 6 + 1 / 2))."""
    return x * hard_sigmoid(x, alpha=1 / 6)


@op("Swish", since=24)
@in_single
def swish(x: Value, *, alpha: float = 1.0) -> Value:
    """x * sigmoid(alpha * x)."""
    return x * (x if alpha == 1 else x * alpha).sigmoid()


def log1p(x: Value) -> Value:
    """log(1 + x) without loss for small x: the rounding error of 1 + x is divided out."""
    sum_ = x + 1
    return sum_.eq(1).where(x, sum_.log() * x / (sum_ - 1))


@op("Softplus", since=1)
@in_single
def softplus(x: Value) -> Value:
    """log(1 + exp(x)), written so that exp cannot overflow."""
    return x.max(0) + log1p((-x.abs()).exp())


@op("Mish", since=18)
@in_single
def mish(x: Value) -> Value:
    """x * tanh(softplus(x))."""
    return x * softplus(x).tanh()


@op("Softsign", since=1)
@in_single
def softsign(x: Value) -> Value:
    """x / (1 + |x|)."""
    return x / (x.abs() + 1)


@op("ThresholdedRelu", since=10)
@in_single
def thresholded_relu(x: Value, *, alpha: float = 1.0) -> Value:
    """x above alpha, else 0."""
    return scalar(alpha, x.dtype).lt(x).where(x, 0)


@op("Shrink", since=9)
@in_single
def shrink(x: Value, *, bias: float = 0.0, lambd: float = 0.5) -> Value:
    """x + bias below -lambd, x - bias above lambd, else 0; integers are computed in float."""
    wide = x if x.dtype.is_float else x.cast(dt.F64)
    low, high = wide.lt(-lambd), scalar(lambd, wide.dtype).lt(wide)
    return low.where(wide + bias, high.where(wide - bias, 0)).cast(x.dtype)
