"""SparseAttention of com.microsoft: heads that share keys and values and see blocks of a cache of them."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, dim_value, iota, map_, scalar
from sardonyx.ops.demands import equal, ranked, shaped
from sardonyx.ops.microsoft.attention import MICROSOFT, scale_of
from sardonyx.ops.microsoft.grouped import cached, grouped
from sardonyx.ops.microsoft.rotary import angles
from sardonyx.ops.onnx.attention import Scores, attend, join_heads, rotate, visible
from sardonyx.ops.onnx.index import within
from sardonyx.ops.operands import size
from sardonyx.ops.table import op

BLOCK_SIZES = (16, 32, 64, 128)


@op("SparseAttention", domain=MICROSOFT)
def sparse_attention(
    query: Value,
    key: Value | None,
    value: Value | None,
    past_key: Value,
    past_value: Value,
    block_row_indices: Value,
    block_col_indices: Value,
    total_sequence_length: Value,
    key_total_sequence_lengths: Value,
    cos_cache: Value | None = None,
    sin_cache: Value | None = None,
    *,
    kv_num_heads: int,
    num_heads: int,
    sparse_block_size: int,
    do_rotary: int = 0,
    rotary_interleaved: int = 0,
    scale: float | None = None,
) -> tuple[Value, Value, Value]:
    """Causal attention in which a block of queries sees the blocks of keys that a layout in CSR form names.

    Heads take the layouts [L] in turn: row indices [L, blocks + 1], column indices [L, most]. Past and
    present have one shape.
    """
    if sparse_block_size not in BLOCK_SIZES:
        raise ShapeError(f"sparse_block_size is {sparse_block_size}, it must be one of {list(BLOCK_SIZES)}")
    q, k, v = grouped(query, key, value, num_heads, kv_num_heads)
    batch, rows = q.shape[0], q.shape[2]
    total = size(total_sequence_length, "the total sequence length")
    lengths = shaped(key_total_sequence_lengths, "key_total_sequence_lengths", batch).cast(dt.I64)
    last = within(lengths - 1, total).reshape((batch, 1, 1, 1))
    offset = (last + 1 - dim_value(rows, dt.I64)).max(0)
    if do_rotary:
        if cos_cache is None or sin_cache is None:
            raise ShapeError("SparseAttention with do_rotary=1 needs cos_cache and sin_cache")
        places = offset.reshape((batch, 1)) + iota((1, rows), 1, dt.I64)
        turns = angles(cos_cache, sin_cache, places)
        q, k = (rotate(t, *turns, interleaved=bool(rotary_interleaved)) for t in (q, k))
    present_key, present_value = (
        _written(past, new, offset) for past, new in ((past_key, k), (past_value, v))
    )
    k, v = (t.slice((0,) * 4, (*t.shape[:2], total, t.shape[3])) for t in (present_key, present_value))
    blocks = _blocks(block_row_indices, block_col_indices)
    allowed = _allowed(blocks, offset, (num_heads, rows, total), sparse_block_size)
    causal = visible(rows, total, offset, causal=True)
    assert causal is not None
    y, _ = attend(q, k, v, Scores(scale_of(scale, q), None, allowed.logical_and(causal)))
    return join_heads(y), present_key, present_value


def _written(past: Value, new: Value, offset: Value) -> Value:
    """The cache [B, G, T, D] with new rows from `offset` [B, 1, 1, 1] of each sample on."""
    place, count = iota((1, 1, past.shape[2], 1), 2, dt.I64), dim_value(new.shape[2], dt.I64)
    return place.lt(offset + count).where(cached(past, new, offset, past.shape[2]), past)


def _blocks(row_indices: Value, col_indices: Value) -> Value:
    """Which blocks see which [L, R, R], from their CSR form."""
    ranked(row_indices, "block_row_indices", 2)
    layouts, count = row_indices.shape[0], row_indices.shape[1] - 1
    most = col_indices.shape[1] if col_indices.rank == 2 else 0
    columns = shaped(col_indices, "block_col_indices", layouts, most).reshape((layouts, most, 1))
    starts, stops = (row_indices.slice((0, n), (layouts, count)).reshape((layouts, count, 1)) for n in (0, 1))
    entry = iota((1, 1, most), 2, row_indices.dtype)
    of_row = starts.le(entry).logical_and(entry.lt(stops)).cast(dt.F32)
    of_column = columns.eq(iota((1, 1, count), 2, columns.dtype)).cast(dt.F32)
    return scalar(0, dt.F32).lt(of_row.dot(of_column))


def _allowed(blocks: Value, offset: Value, sizes: tuple[int, Dim, Dim], block: int) -> Value:
    """Which keys each query may see by its head's layout [B, H, S, T]; `sizes` are H, S, T."""
    (heads, rows, total), layouts = sizes, blocks.shape[0]
    batch = offset.shape[0]
    equal(dims.floordiv(heads, layouts) * layouts, heads, "the heads are not a multiple of the layouts")
    of_query = map_("div", offset.reshape((batch, 1)) + iota((1, rows), 1, dt.I64), block)
    of_key = map_("div", iota((total,), 0, dt.I64), block)
    seen = blocks.gather(of_query, 1).gather(of_key, 3).transpose(1, 0, 2, 3)
    shape = (batch, dims.floordiv(heads, layouts), layouts, rows, total)
    spread = seen.reshape((batch, 1, layouts, rows, total)).broadcast(shape)
    return spread.reshape((batch, heads, rows, total))
