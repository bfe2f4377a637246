"""Runs of tokens: their hashes (NGramHashMapping), where they are found again (BifurcationDetector)."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value, concat, iota, map_, scalar
from sardonyx.ops.demands import ranked, shaped, single
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"


@op("NGramHashMapping", domain=MICROSOFT)
def ngram_hash_mapping(
    input_ids: Value,
    multipliers: Value,
    vocab_sizes: Value,
    past_ids: Value | None = None,
    head_offsets: Value | None = None,
    eos_token_id: Value | None = None,
    segment_ids: Value | None = None,
    *,
    max_ngram_size: int,
    n_head_per_ngram: int,
    pad_id: int,
    reset_on_eos: int = 0,
) -> tuple[Value, Value]:
    """A hash of each n-gram that ends at a token [B, T] for every head, and the last tokens as the next past.

    The hash of n tokens is their products with multipliers, combined by xor, modulo the size of the head.
    """
    ranked(input_ids, "the ids", 2)
    if max_ngram_size < 2:
        raise ShapeError(f"max_ngram_size is {max_ngram_size}, it must be at least 2")
    reach, heads = max_ngram_size - 1, n_head_per_ngram
    batch, length = input_ids.shape
    blank = scalar(pad_id, input_ids.dtype) if eos_token_id is None else eos_token_id.reshape(())
    past = blank.broadcast((batch, reach))
    if past_ids is not None:
        past = shaped(past_ids, "past_ids", batch, reach)
    whole = concat([past, input_ids], 1)
    sizes = shaped(vocab_sizes, "vocab_sizes", reach * heads)
    shifted = [whole.slice((0, reach - s), (batch, length)) for s in range(max_ngram_size)]
    ended = scalar(0, dt.BOOL).broadcast((batch, length))
    mixed = shifted[0] * multipliers.slice((0,), (1,))
    results: list[Value] = []
    for s in range(1, max_ngram_size):
        if eos_token_id is not None and reset_on_eos:
            ended = ended.logical_or(shifted[s].eq(blank))
        if segment_ids is not None:
            ended = ended.logical_or(_begins(shaped(segment_ids, "segment_ids", batch, length), s - 1))
        seen = ended.where(blank, shifted[s])
        mixed = map_("bitxor", mixed, seen * multipliers.slice((s,), (1,)))
        size = sizes.slice(((s - 1) * heads,), (heads,))
        results.append(map_("mod", mixed.reshape((batch, length, 1)), size.reshape((1, 1, heads))))
    y = concat(results, 2)
    if head_offsets is not None:
        y = y + shaped(head_offsets, "head_offsets", reach * heads)
    return y, whole.slice((0, length), (batch, reach))


def _begins(segments: Value, back: int) -> Value:
    """Whether the token so many before each one begins a segment of its own."""
    batch, length = segments.shape
    before = segments.pad((0, back + 1), (0, 0))
    one, other = (before.slice((0, at), (batch, length)) for at in (1, 0))
    inside = scalar(back, dt.I64).lt(iota((1, length), 1, dt.I64))
    return one.eq(other).logical_not().logical_and(inside)


@op("BifurcationDetector", domain=MICROSOFT)
def bifurcation_detector(
    src_tokens: Value,
    cur_tokens: Value,
    prev_suffix_match_idx: Value,
    pred_tokens: Value | None = None,
    *,
    max_ngram_size: int = 3,
    min_ngram_size: int = 1,
) -> tuple[Value, Value]:
    """Tokens with those predicted, up to the first that the source has not, and where the source goes on."""
    ranked(src_tokens, "src_tokens", 1)
    ranked(cur_tokens, "cur_tokens", 1)
    where = single(prev_suffix_match_idx, "prev_suffix_match_idx")
    attrs = {"least": min_ngram_size, "most": max_ngram_size}
    given = (src_tokens, cur_tokens, where, *(() if pred_tokens is None else (pred_tokens,)))
    tokens, found = data_sized("token_branch", given, attrs, [(dt.I64, (None,)), (dt.I64, ())])
    return tokens, found.reshape(prev_suffix_match_idx.shape)
