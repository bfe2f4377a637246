"""What a search over tokens allows next: rules that change the scores of all tokens, as formulas.

Decides nothing about how a token is chosen; must not know decoders.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.ir.value import Value, dim_value, iota, scalar
from sardonyx.ops.onnx.attention import LOWEST
from sardonyx.ops.onnx.index import scatter_elements

State = Mapping[str, Value]
"""What is carried from step to step, by name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one search; the tensors they need stand in the state under the names given here.

    `beams` rows of scores belong to one item of the batch. Tensors: "penalty" and "temperature" (numbers),
    "allowed" [V], "allowed first" [B, V] (conditions), "least length" (int64), "presence" [B, V].
    """

    eos: int
    beams: int
    ngram: int = 0
    timestamps: Timestamps | None = None

    def apply(self, scores: Value, sequences: Value, length: Value, state: State, *, first: bool) -> Value:
        """Scores [R, V] of what follows the first `length` tokens of sequences [R, L]."""
        vocabulary = scores.shape[1]
        if "penalty" in state:
            penalty = state["penalty"]
            seen = _marked(sequences, before(sequences, length), vocabulary)
            scores = seen.where(scores.lt(0.0).where(scores * penalty, scores / penalty), scores)
        if self.ngram:
            scores = _barred(scores, _repeats(sequences, length, self.ngram, vocabulary))
        if "allowed" in state:
            scores = _barred(scores, state["allowed"].logical_not())
        if "allowed first" in state and first:
            scores = _barred(scores, repeated(state["allowed first"], self.beams).logical_not())
        word = iota((1, vocabulary), 1, dt.I64)
        if "least length" in state and self.eos >= 0:
            scores = _barred(scores, word.eq(self.eos).logical_and(length.lt(state["least length"])))
        if "temperature" in state:
            scores = scores / state["temperature"]
        if "presence" in state:
            scores = scores - repeated(state["presence"], self.beams)
        return self.timestamps.apply(scores, sequences, length) if self.timestamps else scores


@dataclass(frozen=True, slots=True)
class Timestamps:
    """The rules of Whisper: times come in pairs and do not decrease, and win if they are likelier together.

    All fields are numbers of tokens; times are those from `begin` on.
    """

    eos: int
    start: int
    translate: int
    transcribe: int
    start_of_lm: int
    none: int
    begin: int
    most_first: int = 50

    def apply(self, scores: Value, sequences: Value, length: Value) -> Value:
        """Scores [R, V] of what follows the first `length` tokens of sequences [R, L]."""
        word = iota((1, scores.shape[1]), 1, dt.I64)
        is_time = word.lt(self.begin).logical_not()
        place = iota((1, sequences.shape[1]), 1, dt.I64)
        words = sequences.cast(dt.I64)
        times = words.lt(self.begin).logical_not().logical_and(before(sequences, length))
        first = times.where(place + 1, length).reduce("rmin", (1,)).min(length)
        goes_on = first.lt(length)
        last, one_before = (_at(words, length - n).lt(self.begin).logical_not() for n in (1, 2))
        paired = goes_on.logical_not().logical_or(one_before)
        newest = _at(words, times.where(place, scalar(-1, dt.I64)).reduce_max(1))
        least = last.logical_and(paired.logical_not()).where(newest, newest + 1)
        some = times.cast(dt.I64).sum(1)
        bars = [
            word.eq(self.none).logical_or(word.eq(self.start_of_lm)),
            goes_on.logical_and(_any_of(word, self.start, self.translate, self.transcribe)),
            last.logical_and(paired).logical_and(is_time),
            last.logical_and(paired.logical_not()).logical_and(word.lt(self.eos)),
            scalar(0, dt.I64).lt(some).logical_and(is_time).logical_and(word.lt(least)),
            goes_on.logical_not().logical_and(scalar(self.begin + self.most_first, dt.I64).lt(word)),
        ]
        for bar in bars:
            scores = _barred(scores, bar)
        return _barred(scores, _sum_of(scores, is_time).logical_and(is_time.logical_not()))


def _sum_of(scores: Value, is_time: Value) -> Value:
    """Whether all times together are likelier than the likeliest other token: bool [R, 1]."""
    low = scalar(LOWEST, scores.dtype)
    top = is_time.where(scores, low).reduce_max(1)
    counted = is_time.logical_and(low.lt(scores))
    total = counted.where((scores - top).exp(), scalar(0, scores.dtype)).sum(1)
    together = scalar(0, scores.dtype).lt(total).where(total.log() + top, low)
    return is_time.where(low, scores).reduce_max(1).lt(together)


def _any_of(word: Value, *tokens: int) -> Value:
    found = word.eq(tokens[0])
    for token in tokens[1:]:
        found = found.logical_or(word.eq(token))
    return found


def _at(words: Value, place: Value) -> Value:
    """The word at a place of each row, [R, 1]; 0 at places that there are not."""
    here = iota((1, words.shape[1]), 1, dt.I64).eq(place)
    return here.where(words, scalar(0, words.dtype)).sum(1)


def _barred(scores: Value, bar: Value) -> Value:
    return bar.where(scalar(LOWEST, scores.dtype), scores)


def before(sequences: Value, length: Value) -> Value:
    """Which places of sequences [R, L] lie before a length: bool [1, L]."""
    return iota((1, sequences.shape[1]), 1, dt.I64).lt(length)


def repeated(x: Value, count: int) -> Value:
    """Every row of x [B, ...] `count` times, one after another."""
    if count == 1:
        return x
    wide = (x.shape[0], count, *x.shape[1:])
    return (
        x.reshape((x.shape[0], 1, *x.shape[1:])).broadcast(wide).reshape((x.shape[0] * count, *x.shape[1:]))
    )


def allowed(mask: Value | None) -> Value | None:
    """A mask of words as conditions; 0 forbids."""
    return None if mask is None else mask.eq(0).logical_not()


def _marked(words: Value, counted: Value, vocabulary: Dim) -> Value:
    """Which words of a vocabulary are among the counted ones of each row: bool [R, V]."""
    inside = words.lt(0).logical_not().logical_and(words.cast(dt.I64).lt(dim_value(vocabulary, dt.I64)))
    place = counted.logical_and(inside).where(words.cast(dt.I64), dim_value(vocabulary, dt.I64))
    rows = words.shape[0]
    nothing = scalar(0, dt.I32).broadcast((rows, vocabulary + 1))
    marks = scatter_elements(nothing, place, scalar(1, dt.I32).broadcast(words.shape), axis=1)
    return marks.slice((0, 0), (rows, vocabulary)).cast(dt.BOOL)


def _repeats(sequences: Value, length: Value, count: int, vocabulary: Dim) -> Value:
    """Which words would repeat `count` words in a row that a sequence has already: bool [R, V]."""
    rows, room = sequences.shape
    padded = sequences.pad((0, 0), (0, count))
    same = (iota((1, room), 1, dt.I64) + count).le(length)
    for n in range(count - 1):
        word = padded.slice((0, n), (rows, room))
        same = same.logical_and(word.eq(_at(sequences, length - (count - 1 - n))))
    return _marked(padded.slice((0, count - 1), (rows, room)), same.broadcast((rows, room)), vocabulary)
