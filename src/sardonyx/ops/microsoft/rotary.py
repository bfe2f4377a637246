"""Rotary embeddings of com.microsoft: heads turned by the angles of one position, or of three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, iota
from sardonyx.ops.demands import at_least, equal, ranked, shaped, single
from sardonyx.ops.onnx.attention import heads_beside, rotate
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@op("RotaryEmbedding", domain=MICROSOFT)
def microsoft_rotary_embedding(
    x: Value,
    position_ids: Value,
    cos_cache: Value,
    sin_cache: Value,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Value:
    """Every head of x rotated by the angles of its position; one position means a run that begins there."""
    q, among = _heads(x, num_heads, cos_cache, rotary_embedding_dim)
    batch, steps = q.shape[0], q.shape[3 - among]
    if position_ids.rank == 2:
        places = shaped(position_ids, "position_ids", batch, steps)
    else:
        first = single(position_ids, "position_ids").cast(dt.I64)
        places = first.reshape((1, 1)) + iota((1, steps), 1, dt.I64)
    turns = angles(cos_cache, sin_cache, places, among)
    y = rotate(q, *turns, interleaved=bool(interleaved))
    return y.reshape(x.shape) if x.rank == 3 else y


def _heads(x: Value, heads: int, cache: Value, rotated: int) -> tuple[Value, int]:
    """[B, S, H * D] as [B, S, H, D], or [B, H, S, D] as it is, and which axis that of heads is.

    The cache must be half as wide as what is rotated: so many features of each head, or all if that is 0.
    Without a number of heads D is twice the width of the cache.
    """
    ranked(x, "the input", 3, 4)
    ranked(cache, "cos_cache", 2)
    if x.rank == 3 and not heads and not rotated:
        size = cache.shape[1] * 2
        count = dims.floordiv(x.shape[2], size)
        told = "the last axis is not heads twice as wide as the cache, which would be"
        equal(count * size, x.shape[2], told)
        return x.reshape((*x.shape[:2], count, size)), 2
    q, among = (heads_beside(x, heads), 2) if x.rank == 3 else (x, 1)
    width = q.shape[3]
    at_least(width, rotated, "a head is narrower than rotary_embedding_dim")
    equal(cache.shape[1] * 2, rotated or width, "the cache and what is rotated differ in width")
    return q, among


def angles(cos_cache: Value, sin_cache: Value, places: Value, among: int = 1) -> tuple[Value, Value]:
    """The rows of both caches at places [B, S], as [B, 1, S, R / 2]; `among` says where the axis of 1 is."""
    ranked(cos_cache, "cos_cache", 2)
    sin_cache = shaped(sin_cache, "sin_cache", *cos_cache.shape)
    cos, sin = (c.gather(places.cast(dt.I64), 0) for c in (cos_cache, sin_cache))
    cos, sin = (v.reshape((*v.shape[:among], 1, *v.shape[among:])) for v in (cos, sin))
    return cos, sin


@op("MRotaryEmbedding", domain=MICROSOFT)
def multimodal_rotary_embedding(
    x: Value,
    position_ids: Value,
    cos_cache: Value,
    sin_cache: Value,
    *,
    mrope_section: Sequence[int],
    interleaved: int = 0,
    is_packed_batching: int = 0,
    mrope_layout: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Value:
    """RotaryEmbedding whose angles belong to one of three positions [3, B, S]: of time, height or width."""
    q, among = _heads(x, num_heads, cos_cache, rotary_embedding_dim)
    batch, steps = q.shape[0], q.shape[3 - among]
    position_ids = shaped(position_ids, "position_ids", 3, batch, steps)
    turns = []
    for stream in range(3):
        places = position_ids.slice((stream, 0, 0), (1, batch, steps)).reshape((batch, steps))
        turns.append(angles(cos_cache, sin_cache, places, among))
    owners = _owners(mrope_section, mrope_layout)
    equal(len(owners), cos_cache.shape[1], "mrope_section and the cache differ in width")
    cos, sin = (_woven([turn[part] for turn in turns], owners) for part in (0, 1))
    y = rotate(q, cos, sin, interleaved=bool(interleaved))
    return y.reshape(x.shape) if x.rank == 3 else y


def _owners(section: Sequence[int], layout: int) -> list[int]:
    """Which of the three positions each angle belongs to."""
    if not layout:
        return [stream for stream, count in enumerate(section) for _ in range(count)]
    owners = [0] * sum(section)
    for stream in (1, 2):
        for at in range(stream, min(section[stream] * 3, len(owners)), 3):
            owners[at] = stream
    return owners


def _woven(streams: Sequence[Value], owners: Sequence[int]) -> Value:
    """The angles [B, 1, S, R / 2] of their owners."""
    y = streams[0]
    for stream in (1, 2):
        y = const(np.asarray(owners) == stream).where(streams[stream], y)
    return y
