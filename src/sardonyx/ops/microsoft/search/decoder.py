"""How the decoders of searches are fed: what they get first, and what they get after each token.

Inputs are told apart by the names that onnxruntime prescribes. Must not know how tokens are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import LoadError
from sardonyx.ir.value import Value, concat, dim_value, iota, make, scalar
from sardonyx.ops.microsoft.search.scores import State, repeated
from sardonyx.ops.operands import size
from sardonyx.ops.subgraph import Formal, Inline, SubGraph

Next = tuple[Value, dict[str, Value]]
"""The scores [R or B, V] of all tokens after the last one, and the state."""
GPT, T5, WHISPER = range(3)
"""The kinds of models by their numbers in onnxruntime."""
_LENGTH = "past_sequence_length"
_AFTER_PASTS = (_LENGTH, "beam_width", "cache_indirection")


class Decoder(Protocol):
    """A decoder of the sequences of a search."""

    @property
    def batch(self) -> Dim:
        """How many items there are."""

    @property
    def prompt(self) -> Dim:
        """How many tokens there are before the first step."""

    def start(self) -> tuple[Value, Next]:
        """The tokens so far [B, S], and what the decoder makes of them."""

    def step(self, run: Inline, tokens: Value, rows: Value | None, now: Now, state: State) -> Next:
        """What it makes of the last tokens [R] of sequences that go on from earlier `rows` [R]."""


@dataclass(frozen=True, slots=True)
class Now:
    """The sequences [R, L] and how many of their tokens there are, int64."""

    sequences: Value
    length: Value


@dataclass(frozen=True, slots=True)
class Search:
    """What all decoders of one search share; `room` is the most tokens of a sequence."""

    beams: int
    pad: int
    room: Dim
    vocabulary: int

    def last(self, logits: Value) -> Value:
        """The scores after the last token, f32 [R, V]."""
        batch, steps, width = logits.shape
        used = self.vocabulary if self.vocabulary > 0 else width
        return logits.slice((0, steps - 1, 0), (batch, 1, used)).reshape((batch, used)).cast(dt.F32)

    def shared(self, rows: Dim, length: Value | None) -> dict[str, Value]:
        """What decoders get that keep their past in buffers of full length; `length` is that of the past."""
        beams, room = self.beams, self.room
        width = iota((1, beams, 1), 1, dt.I32).broadcast((dims.floordiv(rows, beams), beams, room))
        past = scalar(0, dt.I32).reshape((1,)) if length is None else length.cast(dt.I32).reshape((1,))
        return {
            _LENGTH: past,
            "beam_width": scalar(beams, dt.I32).reshape((1,)),
            "cache_indirection": width,
        }


def fed(inputs: Sequence[Formal], known: Mapping[str, Value]) -> list[Value]:
    """The values of a subgraph's inputs, of the types it declares. Raises LoadError for one it has alone."""
    values = []
    for formal in inputs:
        if formal.name not in known:
            raise LoadError(
                f'a search does not know what to feed to "{formal.name}"; it knows {", ".join(known)}'
            )
        value = known[formal.name]
        values.append(
            value if formal.dtype is None or value.dtype is formal.dtype else value.cast(formal.dtype)
        )
    return values


def pasts(inputs: Sequence[Formal], count: int) -> list[Formal]:
    """The inputs that are earlier results: all after the first `count` but the last special ones."""
    return [formal for formal in inputs[count:] if formal.name not in _AFTER_PASTS]


def _empty(formal: Formal, shape: Sequence[Dim]) -> Value:
    """A past without steps, or with undefined ones, of the sizes that the formal input declares."""
    sizes = [n if d is None else d for n, d in zip(shape, formal.shape or (), strict=True)]
    return scalar(0, formal.dtype or dt.F32).broadcast(sizes)


def _mask(ids: Value, pad: int) -> Value:
    return ids.eq(pad).logical_not().cast(dt.I32)


def _running(x: Value, *, exclusive: bool) -> Value:
    attrs = {"axis": 1, "exclusive": exclusive, "reverse": False}
    return make("cumsum", (x,), attrs, x.dtype, x.shape)


@dataclass(frozen=True, slots=True)
class DecoderOnly:
    """A decoder like GPT-2: (input_ids, position_ids, attention_mask, pasts) -> (logits, presents).

    Pasts are [2, R, H, P, D]; `first` is run over the prompt.
    """

    search: Search
    decoder: SubGraph
    first: SubGraph
    ids: Value
    mask: Value | None

    @property
    def batch(self) -> Dim:
        """The number of prompts."""
        return self.ids.shape[0]

    @property
    def prompt(self) -> Dim:
        """The tokens of the longest prompt."""
        return self.ids.shape[1]

    def start(self) -> tuple[Value, Next]:
        """The prompt, and what follows it."""
        search, ids = self.search, self.ids
        counts = _mask(ids, search.pad)
        mask = counts if self.mask is None else self.mask.cast(dt.I32)
        places = counts * _running(counts, exclusive=True)
        known = {
            "input_ids": repeated(ids, search.beams),
            "position_ids": repeated(places, search.beams),
            "attention_mask": repeated(mask, search.beams),
        }
        rows = known["input_ids"].shape[0]
        formals = pasts(self.first.inputs, 3)
        is_shared = any(f.name == _LENGTH for f in self.first.inputs)
        for formal in formals:
            known[formal.name] = _empty(formal, (2, rows, 1, search.room if is_shared else 0, 1))
        known |= search.shared(rows, None)
        logits, *present = self.first.inline(*fed(self.first.inputs, known))
        state = {
            "position": repeated(counts.sum(1).reshape((ids.shape[0],)), search.beams),
            "mask": known["attention_mask"],
            **{f"past {n}": value for n, value in enumerate(present)},
        }
        return ids, (search.last(logits), state)

    def step(self, run: Inline, tokens: Value, rows: Value | None, now: Now, state: State) -> Next:
        """See `Decoder.step`."""
        count = tokens.shape[0]
        mask = concat([state["mask"], scalar(1, dt.I32).broadcast((count, 1))], 1)
        known = {
            "input_ids": tokens.reshape((count, 1)),
            "position_ids": state["position"].reshape((count, 1)),
            "attention_mask": mask,
            **self.search.shared(count, now.length - 1),
        }
        formals = pasts(self.decoder.inputs, 3)
        for n, formal in enumerate(formals):
            past = state[f"past {n}"]
            known[formal.name] = past if rows is None else past.gather(rows, 1)
        logits, *present = run(*fed(self.decoder.inputs, known))
        after = {"position": state["position"] + 1, "mask": mask}
        after |= {f"past {n}": value for n, value in enumerate(present[: len(formals)])}
        return self.search.last(logits), {**state, **after}


_OF_ENCODER = ("input_ids", "encoder_input_ids", "encoder_attention_mask", "encoder_hidden_states")


@dataclass(frozen=True, slots=True)
class EncoderDecoder:
    """An encoder and decoder like T5 or Whisper.

    Decoder: (input_ids, what the encoder got and gave, self pasts, cross pasts) -> (logits, self pasts);
    pasts are [R, H, P, D], keys and values in turns. Encoder: (ids or features, mask if it is asked for,
    first tokens) -> (logits, hidden states, self pasts, cross pasts), or without first tokens -> cross pasts.
    """

    search: Search
    decoder: SubGraph
    encoder: SubGraph
    source: Value
    mask: Value | None
    tokens: Value

    @property
    def batch(self) -> Dim:
        """The number of items that are encoded."""
        return self.source.shape[0]

    @property
    def prompt(self) -> Dim:
        """The tokens that decoding begins with."""
        return self.tokens.shape[1]

    @property
    def _formals(self) -> list[Formal]:
        return pasts(self.decoder.inputs, sum(f.name in _OF_ENCODER for f in self.decoder.inputs))

    @property
    def _is_shared(self) -> bool:
        return any(f.name == _LENGTH for f in self.decoder.inputs)

    def start(self) -> tuple[Value, Next]:
        """The first tokens, and what follows them."""
        known = {"encoder_input_ids": self.source, "decoder_input_ids": self.tokens}
        if self.source.rank == 2:
            there = scalar(0, dt.I32).lt(_running(_mask(self.source, self.search.pad), exclusive=False))
            known["encoder_attention_mask"] = there.cast(dt.I32) if self.mask is None else self.mask
        results = self.encoder.inline(*fed(self.encoder.inputs, known))
        formals, names = self._formals, [f.name for f in self.decoder.inputs]
        half = len(formals) // 2
        gives_logits = len(results) > half
        of_encoder = {**known, "encoder_hidden_states": results[1]}
        constant = {n: of_encoder[n] for n in _OF_ENCODER[1:] if n in names and n in of_encoder}
        crosses = results[-half:]
        state = {name: repeated(value, self.search.beams) for name, value in constant.items()}
        state |= {f"cross {n}": repeated(value, self.search.beams) for n, value in enumerate(crosses)}
        if gives_logits:
            own = [self._with_room(value) for value in results[2 : 2 + half]]
            state |= {f"past {n}": repeated(value, self.search.beams) for n, value in enumerate(own)}
            return self.tokens, (self.search.last(results[0]), state)
        rows = self.batch * self.search.beams
        for n, (formal, cross) in enumerate(zip(formals[:half], crosses, strict=True)):
            shape = (rows, cross.shape[1], self.search.room if self._is_shared else 0, cross.shape[3])
            state[f"past {n}"] = _empty(formal, shape)
        begun = repeated(self.tokens, self.search.beams)
        return self.tokens, self._run(self.decoder.inline, begun, None, dim_value(0, dt.I64), state)

    def _with_room(self, past: Value) -> Value:
        """A past in a buffer of full length, if the decoder wants that."""
        if not self._is_shared:
            return past
        return past.pad((0, 0, 0, 0), (0, 0, self.search.room - past.shape[2], 0))

    def step(self, run: Inline, tokens: Value, rows: Value | None, now: Now, state: State) -> Next:
        """See `Decoder.step`; a decoder whose input_ids may be longer than 1 gets whole sequences."""
        shape = self.decoder.inputs[0].shape
        if shape is not None and len(shape) == 2 and shape[1] == 1:
            ids = tokens.reshape((tokens.shape[0], 1))
        else:
            ids = now.sequences.slice(
                (0, 0), (tokens.shape[0], size(now.length.reshape((1,)), "the length", 1))
            )
        return self._run(run, ids, rows, now.length - 1, state)

    def _run(self, run: Inline, ids: Value, rows: Value | None, length: Value, state: State) -> Next:
        formals = self._formals
        half = len(formals) // 2
        known = {**state, "input_ids": ids, **self.search.shared(ids.shape[0], length)}
        for n, formal in enumerate(formals[:half]):
            past = state[f"past {n}"]
            known[formal.name] = past if rows is None else past.gather(rows, 0)
        known |= {formal.name: state[f"cross {n}"] for n, formal in enumerate(formals[half:])}
        logits, *present = run(*fed(self.decoder.inputs, known))
        after = {f"past {n}": value for n, value in enumerate(present[:half])}
        return self.search.last(logits), {**state, **after}
