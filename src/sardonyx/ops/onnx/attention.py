"""Attention and rotary embedding as formulas: two products, a masked softmax between them, views around.

Decides what a query may see; must not know kernels, which recognise the formula.
"""

from __future__ import annotations

import math

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, concat, const, dim_value, iota, scalar
from sardonyx.ops.demands import at_least, element_type, equal, ranked, shaped, spread_over
from sardonyx.ops.precision import widened
from sardonyx.ops.table import op

LOWEST = -3.4028234663852886e38
_LOWEST_OF = {dt.F16: -65504.0, dt.F64: -1.7976931348623157e308}


def split_heads(x: Value, heads: int | None) -> Value:
    """[B, S, H * D] as [B, H, S, D]; a tensor of rank 4 as it is."""
    return x if x.rank == 4 else heads_beside(x, heads).transpose(0, 2, 1, 3)


def heads_beside(x: Value, heads: int | None) -> Value:
    """[B, S, H * D] as [B, S, H, D]."""
    if not heads:
        raise ShapeError("attention over tensors of rank 3 needs the numbers of heads")
    size = dims.floordiv(x.shape[2], heads)
    equal(size * heads, x.shape[2], f"the last axis is not the features of {heads} heads, which would be")
    return x.reshape((*x.shape[:2], heads, size))


def join_heads(y: Value) -> Value:
    """[B, H, S, D] as [B, S, H * D]."""
    return y.transpose(0, 2, 1, 3).reshape((y.shape[0], y.shape[2], y.shape[1] * y.shape[3]))


@dataclass(frozen=True, slots=True)
class Scores:
    """What is done to the products of queries and keys before and after the softmax.

    `allowed` (bool) and `bias` broadcast with [B, H, S, T]; `sink` [H, 1, 1] is one more key without value.
    """

    scale: float | Value
    bias: Value | None = None
    allowed: Value | None = None
    softcap: float = 0.0
    softmax_type: dt.DType | None = None
    sink: Value | None = None


def both(a: Value | None, b: Value | None) -> Value | None:
    """Two conditions that must hold together; None is not a condition."""
    return b if a is None else a if b is None else a.logical_and(b)


def attend(q: Value, k: Value, v: Value, scores: Scores) -> tuple[Value, tuple[Value, ...]]:
    """softmax(q @ k^T * scale + bias) @ v for q [B, H, S, D], k [B, G, T, D], v [B, G, T, E].

    H is a multiple of G. Returns the result [B, H, S, E] and the scores raw, capped, biased and normalised.
    A query that may see no key gives 0.
    """
    for value, what in ((q, "the queries"), (k, "the keys"), (v, "the values")):
        ranked(value, what, 4)
    batch, heads, rows, size = q.shape
    groups, total = k.shape[1], k.shape[2]
    k = shaped(k, "the keys (batch, heads, length, size of a head)", batch, groups, total, size)
    v = shaped(v, "the values (batch, heads, length, size of a head)", batch, groups, total, v.shape[3])
    share = dims.floordiv(heads, groups)
    equal(
        share * groups, heads, f"the heads of the queries are not a multiple of those of the keys, {groups}"
    )
    joined = (batch, groups, share * rows, size)
    raw = (q * scores.scale).reshape(joined).dot(k.transpose(0, 1, 3, 2)).reshape((batch, heads, rows, total))
    capped = (raw / scores.softcap).tanh() * scores.softcap if scores.softcap else raw
    biased = capped
    if scores.bias is not None:
        biased = capped + spread_over(scores.bias, "what is added to the scores", raw.shape)
    if scores.allowed is not None:
        allowed = spread_over(scores.allowed, "the mask of the scores", raw.shape)
        biased = allowed.where(biased, scalar(-math.inf, biased.dtype))
    weights = _softmax(biased, scores).cast(v.dtype)
    y = weights.reshape((batch, groups, share * rows, total)).dot(v)
    return y.reshape((batch, heads, rows, v.shape[3])), (raw, capped, biased, weights)


def _softmax(x: Value, scores: Scores) -> Value:
    x = widened(x) if scores.softmax_type is None else x.cast(scores.softmax_type)
    top = x.reduce_max(3)
    if scores.sink is not None:
        top = top.max(scores.sink.cast(x.dtype))
    masked = scores.bias is not None or scores.allowed is not None
    if masked:
        top = top.max(_LOWEST_OF.get(x.dtype, LOWEST))
    e = (x - top).exp()
    total = e.sum(3)
    if scores.sink is not None:
        total = total + (scores.sink.cast(x.dtype) - top).exp()
    return e / (total.max(1e-6 if x.dtype is dt.F16 else 1e-30) if masked else total)


def visible(
    rows: Dim, total: Dim, offset: Value, *, causal: bool, left: int = -1, right: int = -1
) -> Value | None:
    """Which of `total` keys each of `rows` queries may see: bool [.., S, T], or None for all.

    The query i stands at i + offset (int64, rank 0 or [B, 1, 1, 1]); bounds below 0 mean no bound.
    """
    key = iota((1, total), 1, dt.I64)
    place = iota((rows, 1), 0, dt.I64) + offset
    allowed = key.le(place) if causal else None
    if left >= 0:
        allowed = both(allowed, (place - left).le(key))
    if right >= 0:
        allowed = both(allowed, key.le(place + right))
    return allowed


@op("Attention", since=23)
def attention(
    q: Value,
    k: Value,
    v: Value,
    attn_mask: Value | None = None,
    past_key: Value | None = None,
    past_value: Value | None = None,
    nonpad_kv_seqlen: Value | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
) -> tuple[Value, ...]:
    """softmax(q @ k^T * scale + mask) @ v; past keys and values come before the new ones."""
    flat = q.rank == 3
    if (past_key is None) != (past_value is None):
        raise ShapeError("past_key and past_value come together")
    q, k, v = split_heads(q, q_num_heads), split_heads(k, kv_num_heads), split_heads(v, kv_num_heads)
    past: Dim = 0
    if past_key is not None and past_value is not None:
        past = past_key.shape[2]
        k, v = concat([past_key, k], 2), concat([past_value, v], 2)
    rows, total = q.shape[2], k.shape[2]
    offset = dim_value(past, dt.I64)
    allowed = None
    if nonpad_kv_seqlen is not None:
        valid = nonpad_kv_seqlen.cast(dt.I64).reshape((nonpad_kv_seqlen.size, 1, 1, 1))
        allowed = iota((1, 1, 1, total), 3, dt.I64).lt(valid)
        offset = valid - dim_value(rows, dt.I64)
    seen = visible(
        rows, total, offset, causal=bool(is_causal), left=left_window_size, right=right_window_size
    )
    allowed, bias = both(allowed, seen), None
    if attn_mask is not None:
        mask = spread_over(_widened_mask(attn_mask, total), "attn_mask", (*q.shape[:3], total))
        allowed, bias = (both(allowed, mask), None) if mask.dtype is dt.BOOL else (allowed, mask)
    scores = Scores(
        inverse_root(q.shape[3], q.dtype) if scale is None else scale,
        bias,
        allowed,
        softcap,
        element_type(softmax_precision, "softmax_precision") if softmax_precision else None,
    )
    y, stages = attend(q, k, v, scores)
    return join_heads(y) if flat else y, k, v, stages[qk_matmul_output_mode]


def inverse_root(size: Dim, dtype: dt.DType) -> float | Value:
    """1 / sqrt(size), a scalar value of that type if the size is not known; 1 of an empty axis."""
    some = dims.maximum(size, 1)
    return 1.0 / math.sqrt(some) if isinstance(some, int) else 1.0 / dim_value(some, dtype).sqrt()


def _widened_mask(mask: Value, total: Dim) -> Value:
    ranked(mask, "attn_mask", 1, 4)
    at_least(total, mask.shape[-1], "attn_mask is longer than the keys")
    missing = total - mask.shape[-1]
    if missing == 0:
        return mask
    fill = scalar(0 if mask.dtype is dt.BOOL else -math.inf, mask.dtype)
    none = (0,) * (mask.rank - 1)
    return mask.pad((*none, 0), (*none, missing), fill)


def rotate(x: Value, cos: Value, sin: Value, *, interleaved: bool) -> Value:
    """Rotate pairs of the leading features of x [.., D] by angles cos, sin [.., R / 2]; the others stay.

    Pairs are (i, i + R / 2), or neighbours if `interleaved`.
    """
    half = cos.shape[-1]
    lead, rest = x.shape[:-1], x.shape[-1] - half * 2
    none = (0,) * len(lead)
    apart, which = ((half, 2), x.rank) if interleaved else ((2, half), x.rank - 1)
    pairs = x.slice((*none, 0), (*lead, half * 2)).reshape((*lead, *apart))
    steps = tuple(-1 if axis == which else 1 for axis in range(pairs.rank))
    others = pairs.slice(tuple(1 if step < 0 else 0 for step in steps), pairs.shape, steps)
    signs = const(np.array([-1, 1], sin.dtype.numpy)).reshape([2 if step < 0 else 1 for step in steps])
    both = (half, 1) if interleaved else (1, half)
    cos, sin = (v.reshape((*v.shape[:-1], *both)) for v in (cos, sin))
    turned = (pairs * cos + others * (sin * signs)).reshape((*lead, half * 2))
    return turned if rest == 0 else concat([turned, x.slice((*none, half * 2), (*lead, rest))], len(lead))


@op("RotaryEmbedding", since=23)
def rotary_embedding(
    x: Value,
    cos_cache: Value,
    sin_cache: Value,
    position_ids: Value | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Value:
    """Every head of x rotated by the angles of its position."""
    heads, among = (heads_beside(x, num_heads), 2) if x.rank == 3 else (x, 1)
    ranked(heads, "the input", 4)
    batch, length, width = heads.shape[0], heads.shape[3 - among], heads.shape[3]
    sin = shaped(sin_cache, "sin_cache", *cos_cache.shape)
    if position_ids is not None:
        ranked(cos_cache, "cos_cache", 2)
        places = shaped(position_ids, "position_ids", batch, length)
        cos, sin = cos_cache.gather(places, 0), sin.gather(places, 0)
    else:
        ranked(cos_cache, "cos_cache", 3)
        cos, sin = (shaped(c, "cos_cache", batch, length, c.shape[2]) for c in (cos_cache, sin))
    equal(cos.shape[2] * 2, rotary_embedding_dim or width, "the cache and what is rotated differ in width")
    angles = [c.reshape((*c.shape[:among], 1, *c.shape[among:])) for c in (cos, sin)]
    y = rotate(heads, *angles, interleaved=bool(interleaved))
    return y.reshape(x.shape) if x.rank == 3 else y
