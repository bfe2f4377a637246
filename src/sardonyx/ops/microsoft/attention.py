"""Attention operators of com.microsoft, reduced to one formula of attention."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, concat, dim_value, iota, scalar
from sardonyx.ops.onnx.attention import Scores, attend, inverse_root, join_heads, split_heads, visible
from sardonyx.ops.onnx.quant import multiply_integers
from sardonyx.ops.operands import size
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"
FILTER = -10000.0


def scale_of(scale: float | None, q: Value) -> float | Value:
    """The factor of scores: 1 / sqrt(head size) by default."""
    return scale or inverse_root(q.shape[-1], q.dtype)


def _sum(a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else a + b


def _padding(
    mask: Value | None, batch: Dim, total: Dim, fill: float, dtype: dt.DType, rows: Dim = 0
) -> Value | None:
    """What a mask of padded keys adds to scores: lengths [B], ranges [2 B], flags [B, T] or [B, S, T].

    Flags [B, 1, M, M] are those of all places: of their rows the last `rows` of `total` are meant. Behind
    lengths [3 B + 2] stands where the tokens of each sample would begin if padding were left out.
    """
    if mask is None:
        return None
    key = iota((1, total), 1, mask.dtype)
    if mask.rank == 1 and mask.size == batch * 2:
        ends, starts = (mask.slice((i * batch,), (batch,)).reshape((batch, 1)) for i in (0, 1))
        kept = key.lt(ends).logical_and(starts.le(key))
    elif mask.rank == 1:
        beside = (mask.size - batch) * (mask.size - batch * 3 - 2)
        if dims.equal(beside, 0) is False:
            raise UnsupportedOp(f"a key mask of shape {list(mask.shape)} is not supported")
        must_equal(beside, 0, "a key mask of {} numbers for {} samples", mask.size, batch)
        kept = key.lt(mask.slice((0,), (batch,)).reshape((batch, 1)))
    else:
        if mask.rank == 4:
            mask = chunk(chunk(mask, 2, total - rows, rows), 3, 0, total)
        kept = scalar(0, mask.dtype).lt(mask)
    middle = {
        2: (kept.shape[0], 1, 1),
        3: (kept.shape[0], 1, kept.shape[1]),
        4: kept.shape[:3],
    }.get(kept.rank)
    if middle is None:
        raise UnsupportedOp(f"a key mask of shape {list(mask.shape)} is not supported")
    return kept.reshape((*middle, kept.shape[-1])).where(scalar(0, dtype), fill)


def chunk(x: Value, axis: int, start: Dim, length: Dim) -> Value:
    """A stretch of one axis."""
    begin = [start if a == axis else 0 for a in range(x.rank)]
    return x.slice(begin, [length if a == axis else n for a, n in enumerate(x.shape)])


def _picked(x: Value, axis: int, index: int) -> Value:
    part = chunk(x, axis, index, 1)
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
    """Attention of projected queries, keys and values, packed or not, over past and new keys.

    With `past_sequence_length` the caches keep their size and get the new keys and values there. With
    `cache_indirection` every past key is taken from the cache of the beam it names.
    """
    q, k, v = _unpacked(query, key, value)
    if bias is not None:
        q, k, v = _biased(q, k, v, bias)
    q, k, v = (split_heads(t, num_heads) for t in (q, k, v))
    past: Dim = 0
    present = k, v
    if past_key is not None and past_value is not None:
        past = past_key.shape[2]
        if past_sequence_length is not None:
            past = size(past_sequence_length, "the past sequence length")
        caches = [chunk(s, 2, 0, past) for s in (past_key, past_value)]
        used = [concat([s, t], 2) for s, t in zip(caches, (k, v), strict=True)]
        present = _refilled(past_key, used[0]), _refilled(past_value, used[1])
        if cache_indirection is not None:
            used = [
                concat([_of_beams(s, cache_indirection), t], 2) for s, t in zip(caches, (k, v), strict=True)
            ]
            attention_bias = _of_first_beams(attention_bias, cache_indirection)
        k, v = used
    mask = _padding(key_padding_mask, q.shape[0], k.shape[2], mask_filter_value, q.dtype)
    seen = visible(q.shape[2], k.shape[2], dim_value(past, dt.I64), causal=bool(unidirectional))
    y, (_, _, biased, _) = attend(q, k, v, Scores(scale_of(scale, q), _sum(mask, attention_bias), seen))
    return join_heads(y), *present, biased


def _of_beams(cache: Value, indirection: Value) -> Value:
    """What the beams of a search take from their caches [B * W, H, T, D].

    The key j of beam w is that in the cache of the beam indirection[b, w, j]; its last axis may be longer.
    """
    rows, heads, length, width = cache.shape
    batch, beams = indirection.shape[:2]
    chosen = chunk(indirection.cast(dt.I64), 2, 0, length)
    first = iota((batch, 1, 1), 0, dt.I64) * dim_value(beams, dt.I64)
    place = (chosen + first) * dim_value(length, dt.I64) + iota((1, 1, length), 2, dt.I64)
    flat = cache.transpose(0, 2, 1, 3).reshape((rows * length, heads, width))
    taken = flat.gather(place.reshape((rows * length,)), 0)
    return taken.reshape((rows, length, heads, width)).transpose(0, 2, 1, 3)


def _of_first_beams(bias: Value | None, indirection: Value) -> Value | None:
    """A bias of scores per beam as onnxruntime reads it: beam w of item b gets that of row b."""
    if bias is None or bias.shape[0] == 1:
        return bias
    batch, beams = indirection.shape[:2]
    rows = iota((batch, beams), 0, dt.I64).reshape((batch * beams,))
    return bias.gather(rows, 0)


def _refilled(cache: Value, used: Value) -> Value:
    """What is used of a cache, and what lies after it in a larger one."""
    rest = dims.maximum(cache.shape[2] - used.shape[2], 0)
    return concat([used, chunk(cache, 2, cache.shape[2] - rest, rest)], 2)


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
    q = q + chunk(bias, 0, 0, width)
    if k.rank == 3:
        k = k + chunk(bias, 0, width, width)
    if v.rank == 3:
        v = v + chunk(bias, 0, width * 2, v.shape[2])
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
    if key is None:
        width = dims.floordiv(query.shape[2], 3)
        query, key, value = (chunk(query, 2, width * n, width) for n in range(3))
    return multi_head_attention(
        query,
        key,
        value,
        bias,
        mask_index,
        attention_bias,
        past_key,
        past_value,
        past_sequence_length if past_present_share_buffer else None,
        cache_indirection,
        num_heads=num_heads,
        mask_filter_value=mask_filter_value,
        scale=scale,
    )[: 4 if output_qk else 3]


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
    parts = (chunk(projected, 2, a, n) for a, n in zip(starts, sizes, strict=True))
    q, k, v = (split_heads(t, heads) for t in parts)
    before: Dim = 0
    if past is not None:
        before = past.shape[3]
        k, v = (concat([_picked(past, 0, i), t], 2) for i, t in enumerate((k, v)))
    mask = _padding(mask_index, q.shape[0], k.shape[2], fill, q.dtype, q.shape[2])
    seen = visible(q.shape[2], k.shape[2], dim_value(before, dt.I64), causal=causal)
    y, _ = attend(q, k, v, Scores(scale_of(scale, q), _sum(mask, attention_bias), seen))
    if k.shape[3] != v.shape[3]:
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
