"""Gates, norms and state updates of recent language models that com.microsoft has as operators."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value
from sardonyx.ops.onnx.activation import softplus
from sardonyx.ops.onnx.norm import normalize_rms
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@op("ScaledSiLU", domain=MICROSOFT)
def scaled_silu(x: Value, scale: Value | None = None, *, alpha: float = 1.0) -> Value:
    """Z * sigmoid(z) of z = scale * x; alpha is the scale if none is given."""
    z = x * (alpha if scale is None else scale.reshape(()).cast(x.dtype))
    return z * z.sigmoid()


@op("GatedAdd", domain=MICROSOFT)
def gated_add(x: Value, y: Value, gate: Value, gate_weight: Value | None = None) -> Value:
    """x + y * gate; with weights the gate of a row is sigmoid(gate @ gate_weight)."""
    if gate_weight is not None:
        gate = gate.cast(dt.F32).dot(gate_weight.cast(dt.F32)).sigmoid().cast(x.dtype)
    return x + y * gate


@op("GatedRMSNorm", domain=MICROSOFT)
def gated_rms_norm(
    x: Value, scale: Value, gate: Value, *, activation: str = "silu", epsilon: float = 1e-5
) -> Value:
    """RMSNormalization of every `scale`-sized part of a row, times an activation of the gate."""
    if activation not in ("silu", "swish", "sigmoid"):
        raise UnsupportedOp(f'activation="{activation}"')
    width = scale.shape[0]
    parts = x.reshape((*x.shape[:-1], dims.floordiv(x.shape[-1], width), width))
    wide = gate.cast(dt.F32)
    opened = wide.sigmoid() if activation == "sigmoid" else wide * wide.sigmoid()
    y = normalize_rms(parts.cast(dt.F32), scale.cast(dt.F32), -1, epsilon, dt.F32)[0]
    return (y.reshape(x.shape) * opened).cast(x.dtype)


@op("BranchwiseRMSNorm", domain=MICROSOFT)
def branchwise_rms_norm(
    x: Value, scale: Value | None = None, *, epsilon: float = 1e-5, num_branches: int = 0
) -> Value:
    """RMSNormalization of each branch of [..., C, H] or [..., C * H]."""
    parts = x
    if num_branches:
        parts = x.reshape((*x.shape[:-1], num_branches, dims.floordiv(x.shape[-1], num_branches)))
    y = normalize_rms(parts.cast(dt.F32), None, -1, epsilon, dt.F32)[0]
    if scale is not None:
        one = dims.equal(scale.size, y.shape[-1])
        if one is None and scale.rank == 1:
            raise needs_size(scale.size - y.shape[-1], "whether one branch has all scales")
        y = y * scale.reshape(y.shape[-1:] if one else y.shape[-2:]).cast(dt.F32)
    return y.reshape(x.shape).cast(x.dtype)


@op("LinearAttentionGate", domain=MICROSOFT)
def linear_attention_gate(
    a: Value, dt_bias: Value, decay_scale: Value, b: Value | None = None
) -> tuple[Value | None, ...]:
    """The decay, decay_scale * softplus(a + dt_bias), and the update rate, sigmoid(b)."""
    decay = (decay_scale * softplus(a.cast(dt.F32) + dt_bias)).cast(a.dtype)
    return decay, None if b is None else b.sigmoid()
