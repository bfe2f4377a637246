"""Each rule of a search bars or changes just the tokens that it is about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.value import Value, const, dim_value, scalar
from sardonyx.ops.microsoft.search.scores import Rules, Timestamps, allowed, before, repeated
from sardonyx.ops.onnx.attention import LOWEST
from tests.unit.ops.formulas import Array, computed

WORDS = 6
SCORES = np.float32([[1, -2, 3, -4, 5, -6]])


def ruled(rules: Rules, sequence: list[int], length: int, *, first: bool = False, **state: Value) -> Array:
    """The scores after the rules, of one sequence."""
    sequences = const(np.array([sequence], np.int32))
    named = {name.replace("_", " "): value for name, value in state.items()}
    return computed(rules.apply(const(SCORES), sequences, dim_value(length, dt.I64), named, first=first))[0]


def barred(scores: Array) -> list[int]:
    return np.flatnonzero(scores[0] == np.float32(LOWEST)).tolist()


def test_without_rules_scores_stay() -> None:
    np.testing.assert_array_equal(ruled(Rules(0, 1), [1, 2, 0], 2), SCORES)


def test_words_that_were_said_are_less_likely_whatever_their_sign() -> None:
    found = ruled(Rules(0, 1), [2, 3, 4, 99, -1], 2, penalty=scalar(2, dt.F32))
    np.testing.assert_array_equal(found, np.float32([[1, -2, 1.5, -8, 5, -6]]))


@pytest.mark.parametrize(
    ("ngram", "sequence", "length", "out"),
    [
        (1, [3, 5, 0, 0], 2, [3, 5]),
        (2, [3, 5, 3, 4, 3, 0], 5, [4, 5]),
        (2, [3, 5, 3, 0], 2, []),
        (3, [1, 2, 4, 1, 2, 0], 5, [4]),
        (3, [1, 2, 4, 1, 2, 4], 4, []),
    ],
)
def test_words_in_a_row_are_not_said_again(
    ngram: int, sequence: list[int], length: int, out: list[int]
) -> None:
    assert barred(ruled(Rules(0, 1, ngram), sequence, length)) == out


def test_masks_forbid_words_one_of_them_only_at_first() -> None:
    state: dict[str, Any] = {
        "allowed": allowed(const(np.array([1, 0, 1, 1, 1, 1], np.int32))),
        "allowed_first": allowed(const(np.array([[1, 1, 1, 7, 1, 0]], np.int32))),
    }
    assert barred(ruled(Rules(0, 1), [2, 0], 1, first=True, **state)) == [1, 5]
    assert barred(ruled(Rules(0, 1), [2, 0], 1, first=False, **state)) == [1]
    assert allowed(None) is None


@pytest.mark.parametrize(("eos", "length", "out"), [(4, 2, [4]), (4, 3, []), (-1, 2, [])])
def test_no_end_before_the_least_length(eos: int, length: int, out: list[int]) -> None:
    assert barred(ruled(Rules(eos, 1), [1, 1, 1], length, least_length=scalar(3, dt.I64))) == out


def test_temperature_divides_and_presence_is_taken_off() -> None:
    presence = const(np.float32([[0, 0, 0, 0, 0, 1]]))
    found = ruled(Rules(0, 1), [0], 1, temperature=scalar(2, dt.F32), presence=presence)
    np.testing.assert_array_equal(found, SCORES / 2 - np.float32([[0, 0, 0, 0, 0, 1]]))


def test_rows_are_repeated_one_after_another() -> None:
    x = const(np.array([[1, 2], [3, 4]]))
    assert computed(repeated(x, 2))[0].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert repeated(x, 1) is x
    sequences = const(np.zeros((1, 4), np.int32))
    assert computed(before(sequences, scalar(3, dt.I64)))[0].tolist() == [[True, True, True, False]]


EOS, START, TRANSLATE, TRANSCRIBE, LM, NONE, BEGIN = range(2, 9)
TIMES = Timestamps(EOS, START, TRANSLATE, TRANSCRIBE, LM, NONE, BEGIN, most_first=1)


def timed(sequence: list[int], length: int, **likely: float) -> list[int]:
    """The tokens out of 0..11 (times from 8 on) that the rules of times bar."""
    scores = np.zeros((1, 12), np.float32)
    for token, score in likely.items():
        scores[0, int(token[1:])] = score
    sequences = const(np.array([sequence], np.int32))
    return barred(computed(TIMES.apply(const(scores), sequences, dim_value(length, dt.I64)))[0])


def test_nothing_but_an_early_time_comes_first() -> None:
    """Times together are likelier than any word here, so words go too."""
    assert timed([3, 0, 0, 0], 1) == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]
    assert timed([3, 0, 0, 0], 1, t1=9.0) == [6, 7, 10, 11]


def test_a_pair_of_times_is_followed_by_a_word() -> None:
    assert timed([3, 9, 9, 0], 3, t1=9.0) == [3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_a_single_time_is_followed_by_its_pair_or_the_end() -> None:
    out = timed([3, 8, 0, 9, 0], 4, t2=99.0)
    assert {0, 1, 8} <= set(out)
    assert not {EOS, 9, 10, 11} & set(out)


def test_times_do_not_decrease() -> None:
    out = timed([3, 8, 9, 0, 0, 0], 4, t1=99.0)
    assert {8, 9} <= set(out)
    assert not {10, 11, 0, 1} & set(out)
