"""Gates, norms and state updates of recent language models that com.microsoft has as operators."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, dim_value
from sardonyx.ops.demands import ANY, ranked, shaped, spread_over
from sardonyx.ops.onnx.activation import softplus
from sardonyx.ops.onnx.norm import normalize_rms
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@op("ScaledSiLU", domain=MICROSOFT)
def scaled_silu(x: Value, scale: Value | None = None, *, alpha: float = 1.0) -> Value:
    """Silu of a scaled input: z * sigmoid(z) for z = scale * x; alpha is the scale if none is given."""
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


def _grouped(x: Value, branches: int) -> Value:
    """[..., C, H] of streams that may be flat."""
    if not branches:
        return x
    return x.reshape((*x.shape[:-1], branches, dims.floordiv(x.shape[-1], branches)))


def _gates(gates: Value, streams: Value) -> Value:
    """Gates [..., C], [..., C, 1], [..., C, H] or [..., C * H] in float32, to be spread over [..., C, H]."""
    gates = gates.cast(dt.F32)
    if gates.rank == streams.rank:
        return spread_over(gates, "the mix", streams.shape)
    whole = dims.equal(gates.shape[-1], streams.shape[-2] * streams.shape[-1])
    return gates.reshape(streams.shape if whole else (*streams.shape[:-1], 1))


@op("HyperConnectionPreMix", domain=MICROSOFT)
def hyper_connection_pre_mix(
    streams: Value, pre_mix: Value, *, num_branches: int = 0, reduction_scale: float = 1.0
) -> Value:
    """The sum of the streams, each times its gates, times a scale: [..., H]."""
    ranked(streams, "the streams", 1 if num_branches else 2, ANY)
    x = _grouped(streams, num_branches)
    y = (x.cast(dt.F32) * _gates(pre_mix, x)).sum(-2) * reduction_scale
    return y.reshape((*x.shape[:-2], x.shape[-1])).cast(streams.dtype)


@op("HyperConnectionPostMix", domain=MICROSOFT)
def hyper_connection_post_mix(
    streams: Value,
    block_output: Value,
    post_mix: Value,
    stream_mix: Value | None = None,
    *,
    num_branches: int = 0,
) -> Value:
    """The streams, mixed with each other, plus a block's output [..., H] times the gates of each stream."""
    ranked(streams, "the streams", 1 if num_branches else 2, ANY)
    x = _grouped(streams, num_branches)
    count, width = x.shape[-2:]
    y = x.cast(dt.F32)
    if stream_mix is not None:
        ranked(stream_mix, "the mix of streams", x.rank)
        order = (*range(x.rank - 2), x.rank - 1, x.rank - 2)
        mix = shaped(stream_mix, "the mix of streams", *x.shape[:-2], count, count)
        y = mix.cast(dt.F32).transpose(*order).dot(y)
    block = shaped(block_output, "the block's output", *x.shape[:-2], width).cast(dt.F32)
    y = y + _gates(post_mix, x) * block.reshape((*x.shape[:-2], 1, width))
    return y.reshape(streams.shape).cast(streams.dtype)


@op("EngramGate", domain=MICROSOFT)
def engram_gate(
    key: Value,
    query: Value,
    value: Value,
    key_norm_scale: Value,
    query_norm_scale: Value,
    conv_norm_scale: Value | None = None,
    *,
    epsilon: float = 1e-5,
) -> tuple[Value, Value | None]:
    """Values [B, T, H] under a gate of how much keys and queries [B, T, C, H] agree, also normalised."""
    ranked(key, "the key", 4)
    batch, length, _, width = key.shape
    query = shaped(query, "the query", *key.shape)
    wide = shaped(value, "the value", batch, length, width).cast(dt.F32).reshape((batch, length, 1, width))

    def normal(x: Value, scale: Value, what: str) -> Value:
        scale = shaped(scale, what, *key.shape[2:]).cast(dt.F32)
        return normalize_rms(x.cast(dt.F32), None, -1, epsilon, dt.F32)[0] * scale

    product = normal(key, key_norm_scale, "key_norm_scale") * normal(
        query, query_norm_scale, "query_norm_scale"
    )
    dot = product.sum(3) / dim_value(width, dt.F32).sqrt()
    gate = (dot.unary("sign") * dot.abs().max(1e-6).sqrt()).sigmoid()
    y = (gate * wide).broadcast(key.shape)
    normed = (
        None if conv_norm_scale is None else normal(y, conv_norm_scale, "conv_norm_scale").cast(key.dtype)
    )
    return y.cast(key.dtype), normed
