"""GreedySearch and Sampling of com.microsoft: sequences that go on with one token at a time.

Both are loops over the decoder that they carry; loop.py is the loop.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, make, scalar
from sardonyx.ops.microsoft.attention import MICROSOFT
from sardonyx.ops.microsoft.search.decoder import GPT, DecoderOnly, Now, Search
from sardonyx.ops.microsoft.search.draw import Draw
from sardonyx.ops.microsoft.search.loop import Choice, generated, held, number
from sardonyx.ops.microsoft.search.scores import Rules, State, allowed
from sardonyx.ops.operands import size
from sardonyx.ops.subgraph import SubGraph
from sardonyx.ops.table import op


def _decoder_only(
    search: Search,
    decoder: SubGraph,
    init_decoder: SubGraph | None,
    ids: Value,
    mask: Value | None,
    kind: int,
) -> DecoderOnly:
    if kind != GPT:
        raise UnsupportedOp(f"a search without beams over a model of type {kind}")
    if ids.rank != 2:
        raise ShapeError(f"input_ids must have rank 2, they are {list(ids.shape)}")
    return DecoderOnly(search, decoder, init_decoder or decoder, ids, mask)


def _one_at_a_time(
    decoder: DecoderOnly, rules: Rules, constant: dict[str, Value], draw: Draw | None
) -> Value:
    """Sequences [B, L] that go on with the likeliest token, or with one drawn, until each has an end."""
    search, batch = decoder.search, decoder.ids.shape[0]

    def choose(scores: Value, now: Now, state: State, first: bool) -> Choice:
        ruled = rules.apply(scores, now.sequences, now.length, state, first=first)
        changed = {}
        if draw is not None:
            tokens, changed["generator"] = draw.step(ruled, state["generator"])
        else:
            attrs = {"axis": 1, "last": False}
            tokens = make("argmax", (ruled,), attrs, dt.I64, (batch, 1)).cast(dt.I32).reshape((batch,))
        ended = state["ended"].logical_or(tokens.eq(rules.eos))
        changed["ended"] = ended
        going = ended.logical_not().cast(dt.I32).reduce_max(0).cast(dt.BOOL)
        return ended.where(scalar(search.pad, dt.I32), tokens), None, changed, going, ()

    constant = {**constant, "ended": scalar(0, dt.BOOL).broadcast((batch,))}
    state, _ = generated(decoder, decoder.decoder, search, choose, constant)
    return state["sequences"]


@op("GreedySearch", domain=MICROSOFT)
def greedy_search(
    input_ids: Value,
    max_length: Value,
    min_length: Value | None = None,
    repetition_penalty: Value | None = None,
    vocab_mask: Value | None = None,
    prefix_vocab_mask: Value | None = None,
    attention_mask: Value | None = None,
    *,
    decoder: SubGraph,
    eos_token_id: int,
    pad_token_id: int,
    decoder_start_token_id: int = -1,
    encoder: SubGraph | None = None,
    init_decoder: SubGraph | None = None,
    model_type: int = 0,
    no_repeat_ngram_size: int = 0,
    vocab_size: int = -1,
) -> Value:
    """Sequences that go on with the likeliest token until they end, padded to `max_length`: int32 [B, L]."""
    search = Search(1, pad_token_id, size(max_length, "max_length"), vocab_size)
    made = _decoder_only(search, decoder, init_decoder, input_ids, attention_mask, model_type)
    constant = held(
        penalty=number(repetition_penalty, dt.F32),
        allowed=allowed(vocab_mask),
        allowed_first=allowed(prefix_vocab_mask),
        least_length=number(min_length, dt.I64),
    )
    return _one_at_a_time(made, Rules(eos_token_id, 1, no_repeat_ngram_size), constant, None)


@op("Sampling", domain=MICROSOFT)
def sampling(
    input_ids: Value,
    max_length: Value,
    min_length: Value | None = None,
    repetition_penalty: Value | None = None,
    vocab_mask: Value | None = None,
    prefix_vocab_mask: Value | None = None,
    attention_mask: Value | None = None,
    presence_mask: Value | None = None,
    seed: Value | None = None,
    *,
    decoder: SubGraph,
    eos_token_id: int,
    pad_token_id: int,
    custom: int = 0,
    decoder_start_token_id: int = -1,
    encoder: SubGraph | None = None,
    filter_value: float = -1e20,
    init_decoder: SubGraph | None = None,
    min_tokens_to_keep: int = 0,
    model_type: int = 0,
    no_repeat_ngram_size: int = 0,
    presence_penalty: float = 0.0,
    temperature: float = 1.0,
    top_p: float = 0.0,
    vocab_size: int = -1,
) -> Value:
    """Sequences that go on with drawn tokens until they end, padded to `max_length`: int32 [B, L]."""
    search = Search(1, pad_token_id, size(max_length, "max_length"), vocab_size)
    made = _decoder_only(search, decoder, init_decoder, input_ids, attention_mask, model_type)
    if min_tokens_to_keep < 0:
        raise ShapeError(f"min_tokens_to_keep is {min_tokens_to_keep}; it must not be negative")
    draw = Draw(top_p, filter_value, min_tokens_to_keep, bool(custom))
    punished = presence_mask is not None and presence_penalty
    constant = held(
        penalty=number(repetition_penalty, dt.F32),
        allowed=allowed(vocab_mask),
        allowed_first=allowed(prefix_vocab_mask),
        least_length=number(min_length, dt.I64),
        temperature=number(None, dt.F32, temperature) if temperature > 0 else None,
        presence=presence_mask.cast(dt.F32) * presence_penalty
        if presence_mask is not None and punished
        else None,
        generator=draw.start(seed),
    )
    return _one_at_a_time(made, Rules(eos_token_id, 1, no_repeat_ngram_size), constant, draw)
