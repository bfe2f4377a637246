"""The judge of conversions: errors are measured, labels counted, ties excused, wrong shapes and NaN seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import Case
from sardonyx.convert.parity import Parity, compare

Array = np.ndarray[Any, Any]


class Answers:
    """A session that answers what it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers

    def get_outputs(self) -> list[Any]:
        return [type("Output", (), {"name": f"y{at}"}) for at in range(len(self.answers))]

    def run(self, names: None, feeds: Any) -> list[Any]:
        return list(self.answers)


def compared(ours: tuple[Any, ...], told: tuple[Any, ...]) -> Parity:
    return compare(Answers(*ours), [Case({}, [np.asarray(part) for part in told])], drawn=True)


F = np.float32


def test_errors_are_relative_to_the_largest_value() -> None:
    parity = compared((np.array([100, 1.001], F),), (np.array([100, 1.0]),))
    assert parity.holds and parity.largest_error == pytest.approx(1e-5, rel=1e-2)
    assert not compared((np.array([100, 1.1], F),), (np.array([100, 1.0]),)).holds


def test_a_row_alone_is_judged_beside_all() -> None:
    assert not compared((np.array([1e-5], F),), (np.array([1.1e-5]),)).holds

    class Turns(Answers):
        def run(self, names: None, feeds: Any) -> list[Any]:
            return [np.array([1.0 if feeds["at"] == 0 else 1e-5], F)]

    cases = [Case({"at": np.array(at)}, [np.array([value])]) for at, value in enumerate((1.0, 1.1e-5))]
    assert compare(Turns(None), cases, drawn=True).holds


def test_nan_and_inf_must_stand_where_they_stood() -> None:
    there = np.array([np.nan, np.inf, 1], F)
    assert compared((there,), (there,)).holds
    for other in ([0, np.inf, 1], [np.nan, -np.inf, 1], [np.nan, np.inf, np.nan], [np.nan, 0, 1]):
        assert not compared((np.array(other, F),), (there,)).holds
        assert not compared((there,), (np.array(other, F),)).holds


def test_a_tie_excuses_a_label() -> None:
    scores = np.array([[0.5, 0.5], [0.9, 0.1]], F)
    theirs = scores + np.array([0, 1e-6])
    parity = compared((np.array([0, 0]), scores), (np.array([1, 0]), theirs))
    assert parity.holds and parity.outputs[0].undecided == 1
    assert not compared((np.array([0, 1]), scores), (np.array([0, 0]), theirs)).holds


def test_a_tie_that_nothing_was_rounded_for_excuses_none() -> None:
    scores = np.array([[0, 0.5, 0.5], [0.8, 0.1, 0.1]], F)
    parity = compared((np.array([1, 0]), scores), (np.array([2, 0]), scores))
    assert not parity.holds and parity.outputs[0].undecided == 0


def test_words_are_compared_as_words() -> None:
    words = np.array(["a", "b"], object)
    assert compared((words,), (np.array(["a", "b"]),)).holds
    assert not compared((words,), (np.array(["a", "c"]),)).holds


def test_shapes_must_agree_but_for_ones() -> None:
    assert compared((np.zeros((3, 1), F),), (np.zeros(3),)).holds
    assert not compared((np.zeros((2, 3), F),), (np.zeros((3, 2)),)).holds
    assert not compared((np.zeros(2, F),), (np.zeros(3),)).holds


def test_scores_of_two_classes_may_be_one() -> None:
    margins = np.array([0.5, -2.0])
    assert compared((np.stack([-margins, margins], 1).astype(F),), (margins,)).holds
    assert compared(
        (np.stack([1 - np.abs(margins) / 4, np.abs(margins) / 4], 1).astype(F),), (np.abs(margins) / 4,)
    ).holds


def test_every_output_has_an_answer() -> None:
    one, two = np.ones(2), (np.ones(2, F), np.ones(2, F))
    for ours, told in ((two, (one,)), (two[:1], (one, one))):
        parity = compared(ours, told)
        assert not parity.holds and len(parity.outputs) == len(ours)
        said = f"{len(ours)} outputs, where the framework gives {len(told)} answers"
        assert all(said in output.wrong for output in parity.outputs)


def test_empty_outputs_agree() -> None:
    assert compared((np.zeros((0, 3), F),), (np.zeros((0, 3)),)).holds
