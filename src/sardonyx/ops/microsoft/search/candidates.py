"""Beam search as formulas: which beams go on, and which finished sequences are the best so far.

Decides nothing about scores of tokens; must not know decoders.
"""

from __future__ import annotations

import math

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.ir.value import Value, concat, dim_value, iota, make, scalar
from sardonyx.ops.microsoft.search.scores import State
from sardonyx.ops.onnx.index import gather_elements
from sardonyx.ops.onnx.sort import top

FIRST_BEAM_ALONE = -1e9
"""The score of all beams but the first before the first step: they are equal, so one of them is enough."""


@dataclass(frozen=True, slots=True)
class Beams:
    """The sizes and tokens of one search. `batch` items of `beams` rows; sequences have room for `length`.

    State: "scores" [B, W] of the beams; of the W best finished sequences "best" [B, W] (scores, -inf for
    none), "texts" [B, W, L] and "ends" [B, W] (tokens and their number); "done" [B].
    """

    batch: Dim
    beams: int
    length: Dim
    eos: int
    pad: int
    stops_early: bool

    def start(self) -> dict[str, Value]:
        """The state before the first step."""
        batch, beams = self.batch, self.beams
        alone = iota((1, beams), 1, dt.I64).eq(0)
        scores = alone.where(scalar(0, dt.F32), scalar(FIRST_BEAM_ALONE, dt.F32))
        return {
            "scores": scores.broadcast((batch, beams)),
            "best": scalar(-math.inf, dt.F32).broadcast((batch, beams)),
            "texts": scalar(self.pad, dt.I32).broadcast((batch, beams, self.length)),
            "ends": scalar(0, dt.I64).broadcast((batch, beams)),
            "done": scalar(0, dt.BOOL).broadcast((batch,)),
        }

    def step(
        self, scores: Value, sequences: Value, length: Value, state: State
    ) -> tuple[Value, Value, dict[str, Value]]:
        """The tokens and the rows that the beams go on with, both [R], and the state.

        `scores` [R, V] are those of tokens after the first `length` ones of sequences [R, L], plus the scores
        of their beams.
        """
        batch, beams = self.batch, self.beams
        vocabulary = scores.shape[1]
        found, place = top(scores.reshape((batch, vocabulary * beams)), 2 * beams, 1, True)
        words = dim_value(vocabulary, dt.I64)
        beam = place / words
        token = place - beam * words
        row = beam + iota((batch, 1), 0, dt.I64) * beams
        ended = token.eq(self.eos) if self.eos >= 0 else scalar(0, dt.BOOL).broadcast(place.shape)
        done = state["done"].reshape((batch, 1))
        better = self._finished(found, row, ended, sequences, length, state)
        on = self._going_on(ended)
        chosen = {
            name: gather_elements(v, on, axis=1) for name, v in (("t", token), ("r", row), ("s", found))
        }
        full = scalar(-math.inf, dt.F32).lt(better["best"].slice((0, beams - 1), (batch, 1)))
        if not self.stops_early:
            hope = found.slice((0, 0), (batch, 1)) / self._divisor(length, state)
            full = full.logical_and(better["best"].slice((0, beams - 1), (batch, 1)).lt(hope).logical_not())
        token = done.where(scalar(self.pad, dt.I64), chosen["t"])
        row = done.where(scalar(0, dt.I64), chosen["r"])
        after = {
            **better,
            "scores": done.where(scalar(0, dt.F32), chosen["s"]),
            "done": done.logical_or(full).reshape((batch,)),
        }
        rows = batch * beams
        return token.cast(dt.I32).reshape((rows,)), row.reshape((rows,)), after

    def _divisor(self, length: Value, state: State) -> Value:
        """What the score of a sequence of that length is divided by."""
        return length.cast(dt.F32).pow(state["length penalty"])

    def _going_on(self, ended: Value) -> Value:
        """The places of the first W candidates [B, 2 W] that do not end a sequence: int64 [B, W]."""
        batch, beams = self.batch, self.beams
        goes_on = ended.logical_not().cast(dt.I64)
        attrs = {"axis": 1, "exclusive": True, "reverse": False}
        rank = make("cumsum", (goes_on,), attrs, dt.I64, goes_on.shape)
        wanted = iota((1, beams, 1), 1, dt.I64)
        wide = (batch, 1, 2 * beams)
        hit = rank.reshape(wide).eq(wanted).logical_and(ended.logical_not().reshape(wide))
        place = iota((1, 1, 2 * beams), 2, dt.I64)
        return hit.where(place, scalar(0, dt.I64)).sum(2).reshape((batch, beams))

    def _finished(
        self, found: Value, row: Value, ended: Value, sequences: Value, length: Value, state: State
    ) -> dict[str, Value]:
        """The best finished sequences after those of the first W candidates that end one."""
        batch, beams = self.batch, self.beams
        part = (batch, beams)
        counts = ended.slice((0, 0), part).logical_and(state["done"].reshape((batch, 1)).logical_not())
        score = found.slice((0, 0), part) / self._divisor(length, state)
        texts = sequences.gather(row.slice((0, 0), part).reshape((batch * beams,)), 0)
        return self._merged(counts.where(score, scalar(-math.inf, dt.F32)), texts, length, state)

    def _merged(self, score: Value, texts: Value, length: Value, state: State) -> dict[str, Value]:
        """The W best of those so far and new ones: scores [B, W], texts [R, L], all of one length."""
        batch, beams, room = self.batch, self.beams, self.length
        best, place = top(concat([state["best"], score], 1), beams, 1, True)
        both = concat([state["texts"], texts.reshape((batch, beams, room))], 1)
        ends = concat([state["ends"], length.reshape((1, 1)).broadcast((batch, beams))], 1)
        rows = (place + iota((batch, 1), 0, dt.I64) * (2 * beams)).reshape((batch * beams,))
        kept = both.reshape((batch * (2 * beams), room)).gather(rows, 0)
        return {
            "best": best,
            "texts": kept.reshape((batch, beams, room)),
            "ends": gather_elements(ends, place, axis=1),
        }

    def finish(self, sequences: Value, state: State, count: int) -> tuple[Value, Value]:
        """The `count` best sequences of each item [B, count, L], padded, and their scores [B, count].

        Beams that go on count as finished where an item is not done.
        """
        batch, room = self.batch, self.length
        whole = dim_value(room, dt.I64)
        score = state["scores"] / self._divisor(whole, state)
        open_ = state["done"].reshape((batch, 1)).logical_not()
        last = self._merged(open_.where(score, scalar(-math.inf, dt.F32)), sequences, whole, state)
        texts = last["texts"].slice((0, 0, 0), (batch, count, room))
        ends = last["ends"].slice((0, 0), (batch, count)).reshape((batch, count, 1))
        kept = iota((1, 1, room), 2, dt.I64).lt(ends)
        return kept.where(texts, scalar(self.pad, dt.I32)), last["best"].slice((0, 0), (batch, count))
