"""Beams: which go on, which sequences are finished, when an item is done, and what is told in the end."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, dim_value, scalar
from sardonyx.ops.microsoft.search.candidates import FIRST_BEAM_ALONE, Beams
from tests.unit.ops.formulas import Array, computed

EOS, PAD, ROOM, WORDS = 1, 0, 5, 4
SEQUENCES = np.array([[2, 3, 0, 0, 0], [3, 2, 0, 0, 0]], np.int32)


def beams(*, early: bool = True, eos: int = EOS) -> Beams:
    return Beams(1, 2, ROOM, eos, PAD, early)


def stepped(
    made: Beams, scores: list[list[float]], length: int = 2, penalty: float = 1, **changed: Value
) -> dict[str, Array]:
    """What one step gives, by name; the scores are those of one item's two beams."""
    state = {**made.start(), "length penalty": scalar(penalty, dt.F32), **changed}
    tokens, rows, after = made.step(
        const(np.float32(scores)), const(SEQUENCES), dim_value(length, dt.I64), state
    )
    found = computed(tokens, rows, *after.values())
    return dict(zip(("tokens", "rows", *after), found, strict=True))


def test_at_first_one_beam_is_enough() -> None:
    start = {name: computed(value)[0] for name, value in beams().start().items()}
    assert start["scores"].tolist() == [[0, FIRST_BEAM_ALONE]]
    assert start["best"].tolist() == [[-np.inf, -np.inf]]
    assert start["texts"].shape == (1, 2, ROOM)
    assert not start["done"].any()


def test_the_best_words_of_all_beams_go_on() -> None:
    found = stepped(beams(), [[-9, -9, -3, -1], [-9, -9, -2, -8]])
    assert (found["tokens"].tolist(), found["rows"].tolist()) == ([3, 2], [0, 1])
    assert found["scores"].tolist() == [[-1, -2]]
    assert not found["done"].any()


def test_an_end_finishes_a_sequence_and_does_not_go_on() -> None:
    found = stepped(beams(), [[-9, -1, -3, -8], [-9, -7, -2, -8]], penalty=2)
    assert (found["tokens"].tolist(), found["rows"].tolist()) == ([2, 2], [1, 0])
    assert found["best"].tolist() == [[-1 / 4, -np.inf]]
    assert found["texts"][0, 0].tolist() == SEQUENCES[0].tolist()
    assert found["ends"][0, 0] == 2


def test_an_end_below_the_beams_does_not_count() -> None:
    found = stepped(beams(), [[-9, -5, -1, -2], [-9, -9, -9, -9]])
    assert found["best"].tolist() == [[-np.inf, -np.inf]]


def test_without_a_token_for_the_end_nothing_ends() -> None:
    found = stepped(beams(eos=-1), [[-9, -1, -3, -8], [-9, -7, -2, -8]])
    assert found["tokens"].tolist() == [1, 2]
    assert found["best"].tolist() == [[-np.inf, -np.inf]]


@pytest.mark.parametrize(("early", "done"), [(True, True), (False, False)])
def test_an_item_is_done_when_its_best_are_full_or_cannot_be_beaten(early: bool, done: bool) -> None:
    scores = [[-9, -1, -8, -8], [-9, -1.5, -2, -8]]
    found = stepped(beams(early=early), scores, penalty=0)
    assert found["best"].tolist() == [[-1, -1.5]]
    assert found["done"].tolist() == [done]


def test_an_item_that_is_done_gets_padding() -> None:
    scores = [[-9, -1, -3, -2], [-9, -7, -2, -8]]
    found = stepped(beams(), scores, done=const(np.array([True])))
    assert (found["tokens"].tolist(), found["scores"].tolist()) == ([PAD, PAD], [[0, 0]])
    assert found["best"].tolist() == [[-np.inf, -np.inf]]
    assert found["done"].tolist() == [True]


@pytest.mark.parametrize("done", [False, True])
def test_in_the_end_the_best_are_told_with_padding_behind_their_ends(done: bool) -> None:
    made = beams()
    state = {
        **made.start(),
        "length penalty": scalar(1, dt.F32),
        "scores": const(np.float32([[-5, -20]])),
        "best": const(np.float32([[-2, -3]])),
        "texts": const(np.array([[[2, 2, 2, 2, 2], [3, 3, 3, 3, 3]]], np.int32)),
        "ends": const(np.array([[2, 3]])),
        "done": const(np.array([done])),
    }
    texts, scores = computed(*made.finish(const(SEQUENCES), state, 2))
    best = [[3, 3, 3, 0, 0], -3.0]
    if done:
        assert (texts[0].tolist(), scores[0].tolist()) == ([[2, 2, 0, 0, 0], best[0]], [-2, -3])
    else:
        assert (texts[0].tolist(), scores[0].tolist()) == ([SEQUENCES[0].tolist(), [2, 2, 0, 0, 0]], [-1, -2])
    (one, _) = computed(*made.finish(const(SEQUENCES), state, 1))
    assert one.shape == (1, 1, ROOM)
