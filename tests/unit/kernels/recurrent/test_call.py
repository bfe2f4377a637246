"""A layer is one call, or one for each direction whose activations differ; open weights are packed first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, many
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.recurrent.call import recurrent_calls
from sardonyx.kernels.recurrent.layer import Word
from tests.unit.kernels.called import calls_of

T, B, H = 5, 2, 7
S, TANH, RELU = ("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0), ("Relu", 0.0, 0.0)


def calls(activations: list[Any], direction: str = "forward", constant: bool = True) -> list[NativeCall]:
    ways = 2 if direction == "bidirectional" else 1

    def build(*given: Value) -> tuple[Value, ...]:
        attrs = {
            "extras": (),
            "direction": direction,
            "activations": tuple(activations),
            "clip": None,
            "linear_before_reset": False,
        }
        return many("gru", given, attrs, [(dt.F32, (T, ways, B, H)), (dt.F32, (ways, B, H))])

    arrays = [np.zeros(s, np.float32) for s in ((T, B, ways, 3 * H), (ways, H, 3 * H), (ways, B, H))]
    return calls_of(recurrent_calls, build, arrays, (1,) if constant else ())


def test_constant_weights_are_packed_before() -> None:
    (call,) = calls([S, TANH])
    assert [s.kind for s in call.reads].count("packed") == 2, "of the gates, and of the hidden one"
    assert call.plan == f"gru_reset of {H} units, 1 directions, {T} steps of {B} rows"
    assert [call.words[w] for w in (Word.STEPS, Word.BATCH, Word.UNITS)] == [T, B, H]
    assert call.work == 2 * H * H * 3 * B * T


def test_open_weights_are_packed_by_calls() -> None:
    *packs, call = calls([S, TANH], constant=False)
    assert [p.plan for p in packs] == ["pack weights"] * 2
    assert {s for p in packs for s in p.writes} <= set(call.reads)


@pytest.mark.parametrize(
    ("activations", "count"), [([S, TANH, S, TANH], 1), ([S, TANH, S, RELU], 2)], ids=["alike", "differ"]
)
def test_directions_share_a_call_if_they_are_alike(activations: list[Any], count: int) -> None:
    found = calls(activations, "bidirectional")
    assert [c.words[Word.DIRECTIONS] for c in found] == [2 // count] * count
    backward = [c.words[Word.BACKWARD] for c in found]
    assert backward == [2, 1][:count], "bit d tells of direction d"


def test_the_reverse_direction_runs_from_the_end() -> None:
    assert calls([S, TANH], "reverse")[0].words[Word.BACKWARD] == 1
