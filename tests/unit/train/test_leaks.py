"""Columns that know the target, rows on both sides and dates are pointed at; honest tables are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas

from sardonyx.train.leaks import suspicions
from sardonyx.train.table import Column

ROWS = 120
DICE = np.random.default_rng(0)
GOAL = np.arange(ROWS) % 2
HONEST = pandas.DataFrame({"a": DICE.normal(size=ROWS), "b": DICE.choice(["x", "y"], ROWS)})
LEARNT, HELD = np.arange(90), np.arange(90, ROWS)


def doubts(frame: pandas.DataFrame, goal: Any = GOAL, classes: Any = (0, 1), **kinds: str) -> list[str]:
    columns = [
        Column(name, kinds.get(name, "number"), 2, 0, "of a date" if "." in name else "") for name in frame
    ]
    return suspicions(frame, goal, columns, LEARNT, HELD, classes)


def test_an_honest_table() -> None:
    assert doubts(HONEST) == []
    assert doubts(HONEST, DICE.normal(size=ROWS), ()) == []


def test_a_column_that_knows() -> None:
    (said,) = doubts(HONEST.assign(paid=np.where(GOAL, "yes", "no")))
    assert said == "the column 'paid' alone tells the target (100.0%); was it known before that was?"
    values = DICE.normal(size=ROWS)
    assert any(
        "'twice' alone" in text for text in doubts(HONEST.assign(twice=np.sign(values)), np.sign(values), ())
    )
    assert doubts(HONEST.assign(note=np.where(GOAL, "yes", "no")), note="text") == []


def test_missing_values_may_know_too() -> None:
    assert "'gap' alone" in doubts(HONEST.assign(gap=np.where(GOAL, np.nan, 1.0)))[0]


def test_rows_on_both_sides() -> None:
    frame = HONEST.copy()
    frame.iloc[90:95] = frame.iloc[0:5].to_numpy()
    assert doubts(frame) == ["5 of 30 held-out rows stand among those learned from as well; drop doubles"]


def test_dates() -> None:
    frame = HONEST.assign(**{"day.year": DICE.integers(0, 9, ROWS).astype(float)})
    assert doubts(frame) == ["there are dates (day): to predict later rows, split by time"]


def test_targets_beyond_float32() -> None:
    values = np.round(DICE.normal(size=ROWS) * 1000)
    values[0] = 1
    (said,) = doubts(HONEST, values + 2.0**24, ())
    assert said.startswith("answers are no closer") and "16777217 becomes 16777216 in float32" in said
    assert doubts(HONEST, values, ()) == []
