"""Attention operators of com.microsoft, reduced to one formula of attention."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, concat, dim_value, iota, make, scalar
from sardonyx.ops.attention import Scores, attend, inverse_root, join_heads, rotate, split_heads, visible
from sardonyx.ops.contrib_rotary import angles
from sardonyx.ops.index import within
from sardonyx.ops.norm import normalize_rms
from sardonyx.ops.operands import size
from sardonyx.ops.quant import multiply_integers
from sardonyx.ops.registry import op

MICROSOFT = "com.microsoft"
FILTER = -10000.0


def _scale(scale: float | None, q: Value) -> float | Value:
    return scale or inverse_root(q.shape[-1], q.dtype)


def _sum(a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else a + b


def _padding(mask: Value | None, batch: Dim, total: Dim, fill: float, dtype: dt.DType) -> Value | None:
    """What a mask of padded keys adds to scores: lengths [B], ranges [2 B], flags [B, T] or [B, S, T]."""
    if mask is None:
        return None
    key = iota((1, total), 1, mask.dtype)
    if mask.rank == 1 and dims.equal(mask.size, batch * 2) is True:
        ends, starts = (mask.slice((i * batch,), (batch,)).reshape((batch, 1)) for i in (0, 1))
        kept = key.lt(ends).logical_and(starts.le(key))
    elif mask.rank == 1:
        if dims.equal(mask.size, batch) is False:
            raise UnsupportedOp(f"a key mask of shape {list(mask.shape)} has no meaning here")
        kept = key.lt(mask.reshape((batch, 1)))
    else:
        kept = scalar(0, mask.dtype).lt(mask)
    middle = {2: (kept.shape[0], 1, 1), 3: (kept.shape[0], 1, kept.shape[1])}.get(kept.rank)
    if middle is None:
        raise UnsupportedOp(f"a key mask of shape {list(mask.shape)} has no meaning here")
    return kept.reshape((*middle, kept.shape[-1])).where(scalar(0, dtype), fill)


def _chunk(x: Value, axis: int, start: Dim, length: Dim) -> Value:
    begin = [start if a == axis else 0 for a in range(x.rank)]
    return x.slice(begin, [length if a == axis else n for a, n in enumerate(x.shape)])


def _picked(x: Value, axis: int, index: int) -> Value:
    part = _chunk(x, axis, index, 1)
    return part.reshape((*x.shape[:axis], *x.shape[axis + 1 :]))


@op("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(
    query: Value,
    key: Value | None = None,
    value: Value | None = None,
    bias: Value | None = None,
    key_padding_mask: Value | None = None,
    attention_bias: Value | None = None,
    past_key: Value | None = None,
    past_value: Value | None = None,
    past_sequence_length: Value | None = None,
    cache_indirection: Value | None = None,
    *,
    num_heads: int,
    mask_filter_value: float = FILTER,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, ...]:
    """Attention of projected queries, keys and values, packed or not, over past and new keys."""
    if past_sequence_length is not None or cache_indirection is not None:
        raise UnsupportedOp("MultiHeadAttention with shared cache buffers")
    q, k, v = _unpacked(query, key, value)
    if bias is not None:
        q, k, v = _biased(q, k, v, bias)
    q, k, v = (split_heads(t, num_heads) for t in (q, k, v))
    past: Dim = 0
    if past_key is not None and past_value is not None:
        past = past_key.shape[2]
        k, v = concat([past_key, k], 2), concat([past_value, v], 2)
    mask = _padding(key_padding_mask, q.shape[0], k.shape[2], mask_filter_value, q.dtype)
    seen = visible(q.shape[2], k.shape[2], dim_value(past, dt.I64), causal=bool(unidirectional))
    y, stages = attend(q, k, v, Scores(_scale(scale, q), _sum(mask, attention_bias), seen))
    return join_heads(y), k, v, stages[0]


def _unpacked(query: Value, key: Value | None, value: Value | None) -> tuple[Value, Value, Value]:
    """Queries, keys and values as [B, S, H * D] (or cached keys and values as [B, H, T, D])."""
    if key is None:
        parts = [_picked(query, 3, i) for i in range(3)]
    elif value is None:
        parts = [query, *(_picked(key, 3, i) for i in range(2))]
    else:
        return query, key, value
    q, k, v = (p if p.rank == 3 else p.reshape((*p.shape[:2], p.shape[2] * p.shape[3])) for p in parts)
    return q, k, v


def _biased(q: Value, k: Value, v: Value, bias: Value) -> tuple[Value, Value, Value]:
    width = q.shape[2]
    q = q + _chunk(bias, 0, 0, width)
    if k.rank == 3:
        k = k + _chunk(bias, 0, width, width)
    if v.rank == 3:
        v = v + _chunk(bias, 0, width * 2, v.shape[2])
    return q, k, v


@op("DecoderMaskedMultiHeadAttention", domain=MICROSOFT)
def decoder_masked_multi_head_attention(
    query: Value,
    key: Value | None = None,
    value: Value | None = None,
    mask_index: Value | None = None,
    attention_bias: Value | None = None,
    past_key: Value | None = None,
    past_value: Value | None = None,
    past_sequence_length: Value | None = None,
    beam_width: Value | None = None,
    cache_indirection: Value | None = None,
    bias: Value | None = None,
    *,
    num_heads: int,
    mask_filter_value: float = FILTER,
    output_qk: int = 0,
    past_present_share_buffer: int = 0,
    scale: float | None = None,
) -> tuple[Value, ...]:
    """MultiHeadAttention of one new token; shared caches keep their size and get it at the past length."""
    if beam_width is not None or cache_indirection is not None or output_qk:
        raise UnsupportedOp("DecoderMaskedMultiHeadAttention with beams or with its scores as a result")
    if key is None:
        width = dims.floordiv(query.shape[2], 3)
        query, key, value = (_chunk(query, 2, width * n, width) for n in range(3))
    states = [past_key, past_value]
    if past_present_share_buffer and past_sequence_length is not None:
        past = size(past_sequence_length, "the past sequence length")
        states = [None if s is None else _chunk(s, 2, 0, past) for s in states]
    y, k, v, _ = multi_head_attention(
        query,
        key,
        value,
        bias,
        mask_index,
        attention_bias,
        *states,
        num_heads=num_heads,
        mask_filter_value=mask_filter_value,
        scale=scale,
    )
    if not past_present_share_buffer or past_key is None or past_value is None:
        return y, k, v
    used = k.shape[2]
    rests = [_chunk(s, 2, used, s.shape[2] - used) for s in (past_key, past_value)]
    return y, *(concat([new, rest], 2) for new, rest in zip((k, v), rests, strict=True))


@op("Attention", domain=MICROSOFT)
def fused_attention(
    x: Value,
    weights: Value,
    bias: Value | None = None,
    mask_index: Value | None = None,
    past: Value | None = None,
    attention_bias: Value | None = None,
    past_sequence_length: Value | None = None,
    *,
    num_heads: int,
    do_rotary: int = 0,
    mask_filter_value: float = FILTER,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: Sequence[int] = (),
    rotary_embedding_dim: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, ...]:
    """The projections of x to queries, keys and values, and their attention."""
    if do_rotary or past_present_share_buffer:
        raise UnsupportedOp("com.microsoft.Attention with rotary embedding or shared cache buffers")
    projected = x.dot(weights)
    if bias is not None:
        projected = projected + bias
    return _self_attention(
        projected,
        mask_index,
        past,
        attention_bias,
        heads=num_heads,
        widths=qkv_hidden_sizes,
        fill=mask_filter_value,
        scale=scale,
        causal=bool(unidirectional),
    )


def _self_attention(
    projected: Value,
    mask_index: Value | None,
    past: Value | None,
    attention_bias: Value | None,
    *,
    heads: int,
    widths: Sequence[int],
    fill: float,
    scale: float | None,
    causal: bool,
) -> tuple[Value, ...]:
    """Attention of projections [B, S, Q + K + V]; past and present are [2, B, H, T, D]."""
    third = dims.floordiv(projected.shape[2], 3)
    sizes: Sequence[Dim] = tuple(widths) or (third, third, third)
    starts = (0, sizes[0], sizes[0] + sizes[1])
    parts = (_chunk(projected, 2, a, n) for a, n in zip(starts, sizes, strict=True))
    q, k, v = (split_heads(t, heads) for t in parts)
    before: Dim = 0
    if past is not None:
        before = past.shape[3]
        k, v = (concat([_picked(past, 0, i), t], 2) for i, t in enumerate((k, v)))
    mask = _padding(mask_index, q.shape[0], k.shape[2], fill, q.dtype)
    seen = visible(q.shape[2], k.shape[2], dim_value(before, dt.I64), causal=causal)
    y, _ = attend(q, k, v, Scores(_scale(scale, q), _sum(mask, attention_bias), seen))
    if dims.equal(k.shape[3], v.shape[3]) is not True:
        return (join_heads(y),)
    return join_heads(y), concat([t.reshape((1, *t.shape)) for t in (k, v)], 0)


@op("QAttention", domain=MICROSOFT)
def quantized_attention(
    x: Value,
    weight: Value,
    bias: Value,
    input_scale: Value,
    weight_scale: Value,
    mask_index: Value | None = None,
    input_zero_point: Value | None = None,
    weight_zero_point: Value | None = None,
    past: Value | None = None,
    *,
    num_heads: int,
    do_rotary: int = 0,
    mask_filter_value: float = FILTER,
    past_present_share_buffer: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, ...]:
    """com.microsoft.Attention whose projection multiplies integers."""
    if do_rotary or past_present_share_buffer:
        raise UnsupportedOp("QAttention with rotary embedding or shared cache buffers")
    total = multiply_integers(x, weight, input_zero_point, weight_zero_point).cast(bias.dtype)
    factor = input_scale.reshape(()) * (weight_scale if weight_scale.size != 1 else weight_scale.reshape(()))
    return _self_attention(
        total * factor + bias,
        mask_index,
        past,
        None,
        heads=num_heads,
        widths=(),
        fill=mask_filter_value,
        scale=scale,
        causal=bool(unidirectional),
    )


@op("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(
    query: Value,
    key: Value | None,
    value: Value | None,
    past_key: Value | None,
    past_value: Value | None,
    seqlens_k: Value,
    total_sequence_length: Value,
    cos_cache: Value | None = None,
    sin_cache: Value | None = None,
    position_ids: Value | None = None,
    attention_bias: Value | None = None,
    head_sink: Value | None = None,
    k_scale: Value | None = None,
    v_scale: Value | None = None,
    q_norm_weight: Value | None = None,
    k_norm_weight: Value | None = None,
    query_seqlens: Value | None = None,
    *,
    kv_num_heads: int,
    num_heads: int,
    causal: int = 1,
    do_rotary: int = 0,
    k_norm_epsilon: float | None = None,
    k_quant_type: str = "NONE",
    kv_cache_bit_width: int = 0,
    local_window_size: int = -1,
    q_norm_epsilon: float | None = None,
    qk_norm_epsilon: float = 1e-6,
    qk_output: int = 0,
    rotary_interleaved: int = 0,
    scale: float | None = None,
    sliding_window_cache: int = 0,
    smooth_softmax: int = -1,
    softcap: float = 0.0,
    v_quant_type: str = "NONE",
) -> tuple[Value, ...]:
    """Attention whose heads share keys and values, over a cache to which the new ones are written."""
    if {k_quant_type, v_quant_type} != {"NONE"} or sliding_window_cache or query_seqlens is not None:
        raise UnsupportedOp("GroupQueryAttention with a quantised or windowed cache or ragged queries")
    q, k, v = _grouped(query, key, value, num_heads, kv_num_heads)
    q = _normed(q, q_norm_weight, q_norm_epsilon or qk_norm_epsilon)
    k = _normed(k, k_norm_weight, k_norm_epsilon or qk_norm_epsilon)
    batch, rows = q.shape[0], q.shape[2]
    total = size(total_sequence_length, "the total sequence length")
    last = within(seqlens_k.cast(dt.I64), total).reshape((batch, 1, 1, 1))
    offset = (last + 1 - dim_value(rows, dt.I64)).max(0)
    if do_rotary and cos_cache is not None and sin_cache is not None:
        places = offset.reshape((batch, 1)) + iota((1, rows), 1, dt.I64)
        turns = angles(cos_cache, sin_cache, places if position_ids is None else position_ids)
        q, k = (rotate(t, *turns, interleaved=bool(rotary_interleaved)) for t in (q, k))
    k, v = _cached(past_key, k, offset, total), _cached(past_value, v, offset, total)
    left = local_window_size - 1 if local_window_size > 0 else -1
    seen = visible(rows, k.shape[2], offset, causal=bool(causal), left=left)
    sink = scalar(0, q.dtype).reshape((1, 1, 1, 1)) if smooth_softmax > 0 else None
    sink = sink if head_sink is None else head_sink.reshape((1, num_heads, 1, 1))
    scores = Scores(_scale(scale, q), attention_bias, seen, softcap, sink=sink)
    y, stages = attend(q, k, v, scores)
    return join_heads(y), k, v, stages[3 if qk_output == 2 else 2]


def _normed(x: Value, weight: Value | None, epsilon: float) -> Value:
    return x if weight is None else normalize_rms(x, weight, -1, epsilon, dt.F32)[0]


def _grouped(
    query: Value, key: Value | None, value: Value | None, heads: int, groups: int
) -> tuple[Value, Value, Value]:
    if key is not None and value is not None:
        return split_heads(query, heads), split_heads(key, groups), split_heads(value, groups)
    head = dims.floordiv(query.shape[2], heads + 2 * groups)
    parts = (
        _chunk(query, 2, 0, head * heads),
        _chunk(query, 2, head * heads, head * groups),
        _chunk(query, 2, head * (heads + groups), head * groups),
    )
    q, k, v = (split_heads(p, n) for p, n in zip(parts, (heads, groups, groups), strict=True))
    return q, k, v


def _cached(past: Value | None, new: Value, offset: Value, total: Dim) -> Value:
    """The cache [B, G, T, D] up to `offset` [B, 1, 1, 1] of each sample, then the new rows, then zeros."""
    if past is None or past.shape[2] == 0:
        return new
    total = dims.maximum(past.shape[2], total)
    shape = (*new.shape[:2], total, new.shape[3])
    place = iota((1, 1, total, 1), 2, dt.I64)
    index = (place - offset).max(0).min(dim_value(new.shape[2] - 1, dt.I64)).broadcast(shape)
    fresh = make("gather_elements", (new, index), {"axis": 2}, new.dtype, shape)
    old = past.pad((0, 0, 0, 0), (0, 0, total - past.shape[2], 0))
    written = place.lt(offset + dim_value(new.shape[2], dt.I64))
    return place.lt(offset).where(old, written.where(fresh, 0))
