"""GroupQueryAttention of com.microsoft: heads that share keys and values, over a cache of them."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, dim_value, iota, map_, scalar
from sardonyx.ops.demands import equal
from sardonyx.ops.microsoft.attention import MICROSOFT, chunk, scale_of
from sardonyx.ops.microsoft.rotary import angles
from sardonyx.ops.microsoft.weights import unpacked
from sardonyx.ops.onnx.attention import Scores, attend, join_heads, rotate, split_heads, visible
from sardonyx.ops.onnx.index import rows_near, within
from sardonyx.ops.onnx.norm import normalize_rms
from sardonyx.ops.operands import size
from sardonyx.ops.table import op


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
) -> tuple[Value | None, ...]:
    """Attention whose heads share keys and values, over a cache to which the new ones are written."""
    if sliding_window_cache or query_seqlens is not None:
        raise UnsupportedOp("GroupQueryAttention with a windowed cache or ragged queries")
    q, k, v = grouped(query, key, value, num_heads, kv_num_heads)
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
    k_form = Cache(k_scale if k_quant_type != "NONE" else None, kv_cache_bit_width)
    v_form = Cache(v_scale if v_quant_type != "NONE" else None, kv_cache_bit_width)
    k, present_key = k_form.extended(past_key, k, offset, total)
    v, present_value = v_form.extended(past_value, v, offset, total)
    seen = visible(rows, k.shape[2], offset, causal=bool(causal), left=max(local_window_size, 0) - 1)
    sink = _sink(head_sink, num_heads, smooth_softmax > 0, q)
    scores = Scores(scale_of(scale, q), attention_bias, seen, softcap, sink=sink)
    y, stages = attend(q, k, v, scores)
    return join_heads(y), present_key, present_value, _shown(stages, seen, qk_output, total)


def _shown(stages: tuple[Value, ...], seen: Value | None, kind: int, total: Dim) -> Value | None:
    """The scores before (1; 0 where a query sees nothing) or after (2) the softmax."""
    if not kind:
        return None
    scores = stages[3] if kind == 2 else stages[2] if seen is None else seen.where(stages[2], 0)
    return chunk(scores, 3, 0, total)


def _sink(given: Value | None, heads: int, smooth: bool, like: Value) -> Value | None:
    """One more key without a value, for each head or for all."""
    if given is not None:
        return given.reshape((1, heads, 1, 1))
    return scalar(0, like.dtype).reshape((1, 1, 1, 1)) if smooth else None


def _normed(x: Value, weight: Value | None, epsilon: float) -> Value:
    return x if weight is None else normalize_rms(x, weight, -1, epsilon, dt.F32)[0]


def grouped(
    query: Value, key: Value | None, value: Value | None, heads: int, groups: int
) -> tuple[Value, Value, Value]:
    """Queries, keys and values [B, heads, S, D], which may come as one tensor."""
    if key is not None and value is not None:
        return split_heads(query, heads), split_heads(key, groups), split_heads(value, groups)
    together = heads + 2 * groups
    head = dims.floordiv(query.shape[2], together)
    equal(head * together, query.shape[2], f"the last axis is not the features of {together} heads together")
    parts = (
        chunk(query, 2, 0, head * heads),
        chunk(query, 2, head * heads, head * groups),
        chunk(query, 2, head * (heads + groups), head * groups),
    )
    q, k, v = (split_heads(p, n) for p, n in zip(parts, (heads, groups, groups), strict=True))
    return q, k, v


@dataclass(frozen=True, slots=True)
class Cache:
    """How keys or values lie in a cache: as they are, or as points of 8 or 4 bits on `scale`."""

    scale: Value | None
    bits: int

    def extended(self, past: Value | None, new: Value, offset: Value, total: Dim) -> tuple[Value, Value]:
        """The old and the new rows as numbers, and as they lie in the cache."""
        whole = cached(None if past is None else self.opened(past), self.points(new), offset, total)
        return self.numbers(whole), self.stored(whole)

    def points(self, x: Value) -> Value:
        """New rows as points: int8, or uint8 from 0 to 15 around 8."""
        if self.scale is None:
            return x
        if self.bits not in (4, 8):
            raise UnsupportedOp(f"kv_cache_bit_width={self.bits}")
        low = -(1 << self.bits - 1)
        y = (x / self._scale()).unary("round").max(float(low)).min(float(-low - 1))
        return y.cast(dt.I8) if self.bits == 8 else (y + float(-low)).cast(dt.U8)

    def _scale(self) -> Value:
        assert self.scale is not None
        return self.scale.reshape((1,) * 4) if self.scale.rank != 4 else self.scale

    def opened(self, stored: Value) -> Value:
        """What a cache holds, one element for each byte."""
        return unpacked(stored, 4) if self.scale is not None and self.bits == 4 else stored

    def stored(self, points: Value) -> Value:
        """The inverse: two points of 4 bits in a byte, the first one low."""
        if self.scale is None or self.bits != 4:
            return points
        half, lead = dims.floordiv(points.shape[-1], 2), points.shape[:-1]
        low, high = (points.slice((0, 0, 0, n), (*lead, half), (1, 1, 1, 2)) for n in (0, 1))
        return map_("bitor", low, map_("shl", high, 4))

    def numbers(self, points: Value) -> Value:
        """What is multiplied."""
        if self.scale is None:
            return points
        real = points.cast(self.scale.dtype)
        return (real - 8.0 if self.bits == 4 else real) * self._scale()


def cached(past: Value | None, new: Value, offset: Value, total: Dim) -> Value:
    """The cache [B, G, T, D] up to `offset` [B, 1, 1, 1] of each sample, then the new rows, then zeros."""
    if past is None or past.shape[2] == 0:
        return new
    total = dims.maximum(past.shape[2], total)
    place, offset = iota((1, 1, total), 2, dt.I64), offset.reshape(offset.shape[:3])

    def each(known: Value) -> Value:
        return known.reshape((*known.shape, 1))

    written = each(place.lt(offset + dim_value(new.shape[2], dt.I64)))
    old, fresh = rows_near(past, place, 2), rows_near(new, place - offset, 2)
    return each(place.lt(offset)).where(old, written.where(fresh, 0))
