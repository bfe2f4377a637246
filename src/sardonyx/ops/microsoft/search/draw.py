"""Draws tokens by their probabilities, as com.microsoft.Sampling does: the filter, and the numbers.

The numbers are those of C++'s minstd_rand0, so that a seed gives what it gives in onnxruntime.
"""

from __future__ import annotations

import math

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, dim_value, iota, make, map_, scalar
from sardonyx.ops.onnx.index import scatter_elements
from sardonyx.ops.onnx.reduce import softmax_over
from sardonyx.ops.onnx.sort import top

_FACTOR, _MODULUS = 16807, (1 << 31) - 1
_RANGE = _MODULUS - 1
_EXPONENT_BITS = 31


@dataclass(frozen=True, slots=True)
class Draw:
    """Which tokens may be drawn: the likeliest that make up `top_p` together, but at least `least`.

    `custom` counts from the likeliest token down and keeps the one that exceeds `top_p`.
    """

    top_p: float
    fill: float
    least: int
    custom: bool

    def start(self, seed: Value | None) -> Value:
        """The state of the generator, int64; a seed of 0 or none is 1."""
        if seed is None:
            return scalar(1, dt.I64)
        state = map_("mod", seed.cast(dt.I64).reshape(()), _MODULUS)
        return state.eq(0).where(scalar(1, dt.I64), state)

    def step(self, scores: Value, generator: Value) -> tuple[Value, Value]:
        """A token for each row of scores [B, V], int32 [B], and the state of the generator."""
        batch, vocabulary = scores.shape
        logits = self._filtered(scores)
        finite = scalar(-math.inf, logits.dtype).lt(logits).logical_and(logits.lt(math.inf))
        wide = logits.cast(dt.F64)
        highest = finite.where(wide, scalar(-math.inf, dt.F64)).reduce_max(1)
        weights = finite.where((wide - highest).exp(), scalar(0, dt.F64))
        attrs = {"axis": 1, "exclusive": False, "reverse": False}
        running = make("cumsum", (weights,), attrs, dt.F64, weights.shape)
        total = running.slice((0, vocabulary - 1), (batch, 1))
        place = iota((batch, 1), 0, dt.I64) * 2
        low, high = (_advanced(generator, place + n) - 1 for n in (1, 2))
        number = (low.cast(dt.F64) + high.cast(dt.F64) * float(_RANGE)) / float(_RANGE) ** 2
        token = running.le(number * total).cast(dt.I32).sum(1).reshape((batch,))
        after = _advanced(generator, dim_value(batch * 2, dt.I64))
        return token.min(dim_value(vocabulary - 1, dt.I32)), after.reshape(())

    def _filtered(self, scores: Value) -> Value:
        """Scores of tokens that may not be drawn become `fill`."""
        vocabulary = scores.shape[1]
        if dims.at_least(vocabulary, self.least + 1) is False:
            raise ShapeError(f"{self.least} tokens cannot be kept, there are {vocabulary}")
        ordered, place = top(scores, vocabulary, 1, self.custom)
        attrs = {"axis": 1, "exclusive": self.custom, "reverse": False}
        chances = softmax_over(ordered, 1)
        running = make("cumsum", (chances,), attrs, chances.dtype, chances.shape)
        rank = iota((1, vocabulary), 1, dt.I64)
        if self.custom:
            out = scalar(self.top_p, running.dtype).lt(running).logical_and(scalar(0, dt.I64).lt(rank))
        else:
            kept = dim_value(vocabulary - self.least, dt.I64).le(rank).logical_and(scalar(0, dt.I64).lt(rank))
            out = running.le(1 - self.top_p).logical_and(kept.logical_not())
        marks = scatter_elements(scalar(0, dt.I32).broadcast(scores.shape), place, out.cast(dt.I32), axis=1)
        return marks.cast(dt.BOOL).where(scalar(self.fill, scores.dtype), scores)


def _advanced(state: Value, count: Value) -> Value:
    """The state of the generator after `count` draws: state * factor ** count, modulo."""
    factor = _FACTOR
    for bit in range(_EXPONENT_BITS):
        odd = map_("mod", map_("div", count, 1 << bit), 2).eq(1)
        state = odd.where(map_("mod", state * factor, _MODULUS), state)
        factor = factor * factor % _MODULUS
    return state
