"""BeamSearch and WhisperBeamSearch of com.microsoft: sequences that several beams go on with.

Both are loops over the decoder that they carry; loop.py is the loop, candidates.py keeps the
beams.
"""

from __future__ import annotations

from functools import partial

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, scalar
from sardonyx.ops.microsoft.attention import MICROSOFT
from sardonyx.ops.microsoft.search.candidates import Beams
from sardonyx.ops.microsoft.search.decoder import (
    GPT,
    T5,
    WHISPER,
    Decoder,
    DecoderOnly,
    EncoderDecoder,
    Now,
    Search,
)
from sardonyx.ops.microsoft.search.loop import Choice, generated, held, number
from sardonyx.ops.microsoft.search.scores import Rules, State, Timestamps, allowed, repeated
from sardonyx.ops.onnx.reduce import log_softmax_over, softmax_over
from sardonyx.ops.operands import integer, size
from sardonyx.ops.subgraph import SubGraph
from sardonyx.ops.table import Node, op


@dataclass(frozen=True, slots=True)
class BeamSearch:
    """One search: its parts, and the most results of an item. `dtype` is that of the scores it tells."""

    search: Search
    decoder: Decoder
    body: SubGraph
    rules: Rules
    count: int
    stops_early: bool
    dtype: dt.DType

    def results(self, constant: dict[str, Value], node: Node) -> tuple[Value, ...]:
        """The best sequences [B, count, L], their scores [B, count], those of all tokens [L - S, B, W, V].

        The last ones are computed only if the node names them; those of steps that were not taken are 0.
        """
        search, batch = self.search, self.decoder.batch
        beams = Beams(batch, search.beams, search.room, self.rules.eos, search.pad, self.stops_early)
        wants_scores = len(node.outputs) > 2 and bool(node.outputs[2])
        choose = partial(self._choose, beams, wants_scores)
        state, kept = generated(self.decoder, self.body, search, choose, {**constant, **beams.start()})
        sequences, scores = beams.finish(state["sequences"], state, self.count)
        found = (sequences, scores.cast(self.dtype))
        if not kept:
            return found
        steps, _, vocabulary = kept[0].shape
        shaped = kept[0].reshape((steps, batch, search.beams, vocabulary))
        missing = search.room - self.decoder.prompt - steps
        return *found, shaped.pad((0, 0, 0, 0), (missing, 0, 0, 0)).cast(self.dtype)

    def _choose(
        self, beams: Beams, wants_scores: bool, scores: Value, now: Now, state: State, first: bool
    ) -> Choice:
        rows = beams.batch * beams.beams
        whole = scores.shape[0] == rows
        logits = scores if whole else repeated(scores, beams.beams)
        ruled = self.rules.apply(log_softmax_over(logits, 1), now.sequences, now.length, state, first=first)
        ruled = ruled + state["scores"].reshape((rows, 1))
        tokens, source, changed = beams.step(ruled, now.sequences, now.length, state)
        going = changed["done"].logical_not().cast(dt.I32).reduce_max(0).cast(dt.BOOL)
        return tokens, source, changed, going, ((ruled,) if wants_scores else ())


def _counts(num_beams: Value, num_return_sequences: Value) -> tuple[int, int]:
    """The number of beams and that of results."""
    beams = integer(num_beams, "the number of beams")
    count = integer(num_return_sequences, "the number of returned sequences")
    if not 1 <= count <= beams:
        raise ShapeError(f"{count} sequences cannot be returned from {beams} beams")
    return beams, count


def _first_tokens(ids: Value, given: Value | None, start: int) -> Value:
    if given is not None:
        return given
    if start < 0:
        raise ShapeError("the model has no decoder_start_token_id and no decoder_input_ids are given")
    return scalar(start, dt.I32).broadcast((ids.shape[0], 1))


def _constant(
    min_length: Value | None,
    length_penalty: Value | None,
    repetition_penalty: Value | None,
    vocab_mask: Value | None,
    prefix_vocab_mask: Value | None,
    temperature: Value | None = None,
) -> dict[str, Value]:
    return held(
        penalty=number(repetition_penalty, dt.F32),
        allowed=allowed(vocab_mask),
        allowed_first=allowed(prefix_vocab_mask),
        least_length=number(min_length, dt.I64),
        length_penalty=number(length_penalty, dt.F32, 1.0),
        temperature=number(temperature, dt.F32),
    )


def _dtype(length_penalty: Value | None) -> dt.DType:
    """The type of scores that are told."""
    return dt.F32 if length_penalty is None else length_penalty.dtype


def _silence(made: EncoderDecoder, token: int, dtype: dt.DType) -> Value:
    """How likely the first token says that nothing is spoken: [B]."""
    chances = softmax_over(made.start()[1][0], 1)
    return chances.slice((0, token), (made.batch, 1)).reshape((made.batch,)).cast(dtype)


@op("BeamSearch", domain=MICROSOFT)
def beam_search(
    input_ids: Value,
    max_length: Value,
    min_length: Value | None,
    num_beams: Value,
    num_return_sequences: Value,
    length_penalty: Value | None = None,
    repetition_penalty: Value | None = None,
    vocab_mask: Value | None = None,
    prefix_vocab_mask: Value | None = None,
    attention_mask: Value | None = None,
    decoder_input_ids: Value | None = None,
    logits_processor: Value | None = None,
    *,
    node: Node,
    decoder: SubGraph,
    eos_token_id: int,
    pad_token_id: int,
    decoder_start_token_id: int = -1,
    early_stopping: int = 0,
    encoder: SubGraph | None = None,
    init_decoder: SubGraph | None = None,
    model_type: int = 0,
    no_repeat_ngram_size: int = 0,
    vocab_size: int = -1,
) -> tuple[Value, ...]:
    """The best sequences of a search with beams, their scores, and the scores of all tokens."""
    beams, count = _counts(num_beams, num_return_sequences)
    search = Search(beams, pad_token_id, size(max_length, "max_length"), vocab_size)
    made: Decoder
    if model_type == GPT:
        made = DecoderOnly(search, decoder, init_decoder or decoder, input_ids, attention_mask)
    elif model_type in (T5, WHISPER) and encoder is not None:
        given = decoder_input_ids if model_type == WHISPER else None
        begun = _first_tokens(input_ids, given, decoder_start_token_id)
        made = EncoderDecoder(search, decoder, encoder, input_ids, attention_mask, begun)
    else:
        raise UnsupportedOp(f"BeamSearch over a model of type {model_type}")
    masks = (vocab_mask, prefix_vocab_mask)
    constant = _constant(min_length, length_penalty, repetition_penalty, *masks)
    rules = Rules(eos_token_id, beams, no_repeat_ngram_size)
    whole = BeamSearch(search, made, decoder, rules, count, bool(early_stopping), _dtype(length_penalty))
    return whole.results(constant, node)


@op("WhisperBeamSearch", domain=MICROSOFT)
def whisper_beam_search(
    input_ids: Value,
    max_length: Value,
    min_length: Value | None,
    num_beams: Value,
    num_return_sequences: Value,
    length_penalty: Value | None = None,
    repetition_penalty: Value | None = None,
    vocab_mask: Value | None = None,
    prefix_vocab_mask: Value | None = None,
    attention_mask: Value | None = None,
    decoder_input_ids: Value | None = None,
    logits_processor: Value | None = None,
    cross_qk_layer_head: Value | None = None,
    extra_decoding_ids: Value | None = None,
    temperature: Value | None = None,
    *,
    node: Node,
    decoder: SubGraph,
    eos_token_id: int,
    pad_token_id: int,
    beginning_timestamp_token_id: int = -1,
    decoder_output_cross_qk: int = 0,
    decoder_start_token_id: int = -1,
    early_stopping: int = 0,
    encoder: SubGraph | None = None,
    init_decoder: SubGraph | None = None,
    model_type: int = 2,
    no_repeat_ngram_size: int = 0,
    no_speech_token_id: int = -1,
    no_timestamps_token_id: int = -1,
    start_of_lm_token_id: int = -1,
    transcribe_token_id: int = -1,
    translate_token_id: int = -1,
    vocab_size: int = -1,
) -> tuple[Value | None, ...]:
    """BeamSearch over features of sound; the scores of times may be ruled, and silence is told.

    `logits_processor` 1 asks for the rules of times.
    """
    if encoder is None or model_type != WHISPER:
        raise UnsupportedOp(f"WhisperBeamSearch without an encoder, or over a model of type {model_type}")
    if decoder_output_cross_qk or (len(node.outputs) > 3 and node.outputs[3]):
        raise UnsupportedOp("WhisperBeamSearch with the scores of cross attention as a result")
    beams, count = _counts(num_beams, num_return_sequences)
    search = Search(beams, pad_token_id, size(max_length, "max_length"), vocab_size)
    begun = _first_tokens(input_ids, decoder_input_ids, decoder_start_token_id)
    made = EncoderDecoder(search, decoder, encoder, input_ids, None, begun)
    masks = (vocab_mask, prefix_vocab_mask)
    constant = _constant(min_length, length_penalty, repetition_penalty, *masks, temperature)
    tokens = (translate_token_id, transcribe_token_id, start_of_lm_token_id, no_timestamps_token_id)
    times = Timestamps(eos_token_id, decoder_start_token_id, *tokens, beginning_timestamp_token_id)
    ruled = logits_processor is not None and integer(logits_processor, "the kind of rules") == 1
    rules = Rules(eos_token_id, beams, no_repeat_ngram_size, times if ruled else None)
    whole = BeamSearch(search, made, decoder, rules, count, bool(early_stopping), _dtype(length_penalty))
    sequences, scores, *steps = whole.results(constant, node)
    silence = _silence(made, no_speech_token_id, whole.dtype) if any(node.outputs[4:]) else None
    return sequences, scores, (steps[0] if steps else None), None, silence
