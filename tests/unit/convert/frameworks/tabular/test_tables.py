"""Columns of a table come from a sample by name or place, or are drawn off the borders a model knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ROWS, ConvertError, Request
from sardonyx.convert.frameworks.tabular.tables import Column, Table, told

NUMBERS = Table([Column("a"), Column("b")], separate=False)
MIXED = Table([Column("n"), Column("t", is_text=True)], separate=True)


def request(sample: Any = None, double: bool = False) -> Request:
    return Request(sample=sample, double=double)


@pytest.mark.parametrize(
    "sample",
    [
        {"b": np.array([3, 4]), "a": np.array([1, 2])},
        {"any": np.array([[1, 3], [2, 4]])},
        {"0": np.array([1, 2]), "1": np.array([[3], [4]])},
    ],
)
def test_a_sample_by_name_or_place(sample: Any) -> None:
    feeds, drawn = NUMBERS.feeds(request(sample))
    assert not drawn
    assert (feeds["x"].tolist(), feeds["x"].dtype) == ([[1, 3], [2, 4]], np.float32)
    assert NUMBERS.feeds(request(sample, double=True))[0]["x"].dtype == np.float64
    assert NUMBERS.rows(feeds).tolist() == [[1, 3], [2, 4]]


def test_one_row_and_one_column() -> None:
    assert NUMBERS.feeds(request({"x": np.array([1, 2])}))[0]["x"].tolist() == [[1, 2]]
    one = Table([Column("a")], separate=False)
    assert one.feeds(request({"x": np.array([1, 2])}))[0]["x"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"x": np.zeros((2, 3))}, "reads 2 columns"),
        ({"a": np.zeros(2), "c": np.zeros(2), "d": np.zeros(2)}, "no column 'b'"),
        ({"a": np.zeros(2), "b": np.array(["p", "q"])}, "'b' of the sample is not a number"),
    ],
)
def test_samples_that_do_not_fit(sample: Any, said: str) -> None:
    with pytest.raises(ConvertError, match=said):
        NUMBERS.feeds(request(sample))


def test_columns_are_categories_and_matrices_are_their_places() -> None:
    table = Table([Column("a", categories=("5", "9")), Column("b", categories=("x", "y"))], separate=False)
    named = {"a": np.array([9.0, 5.0, 1.0]), "b": np.array(["y", 0, None], object)}
    assert np.array_equal(table.feeds(request(named))[0]["x"], [[1, 1], [0, 0], [np.nan] * 2], equal_nan=True)
    for dtype, rows in ((np.float64, [[1, 0], [0, 1]]), (object, [["9", "x"], [5, "y"]])):
        assert table.feeds(request({"": np.array(rows, dtype)}))[0]["x"].tolist() == [[1, 0], [0, 1]]


def test_listed_numbers_are_drawn_and_meant_as_they_are() -> None:
    column = Column("a", values=(0.1, 0.2, np.nan), is_listed=True)
    table = Table([column, Column("t", True, ("u", ""), missing=None)], separate=True)
    feeds, _ = table.feeds(request())
    drawn = {float(value) for value in feeds["a"].ravel() if value == value}
    assert drawn == {float(np.float32(0.1)), float(np.float32(0.2))} and np.isnan(feeds["a"]).any()
    rows = table.rows(feeds)
    assert {value for value in rows[:, 0] if value == value} == {0.1, 0.2}
    assert set(rows[:, 1]) == {"u", None}


def test_whole_numbers_that_float32_cannot_hold_are_told() -> None:
    sample = {"a": np.array([1, (1 << 24) + 1]), "b": np.array([0.5, 2])}
    assert NUMBERS.rounded(request(sample)) == (
        "a: 16777217 becomes 16777216 in float32; double=True reads float64",
    )
    assert NUMBERS.rounded(request(sample, double=True)) == ()
    sample["a"][0] = (1 << 53) + 1
    told = "a: 9007199254740993 becomes 9007199254740992 in float64"
    for column in (sample["a"], sample["a"].astype(object), np.array([None, (1 << 53) + 1], object)):
        assert NUMBERS.rounded(request({**sample, "a": column}, double=True)) == (told,)
    known = Table([Column("a", values=(3, (1 << 24) + 1)), Column("t", True, ("u",))], separate=True)
    assert known.rounded(request())[0].startswith("a: 16777217 becomes")


def test_what_a_model_refuses_is_told() -> None:
    def refuse(feeds: Any) -> Any:
        raise ValueError("no such\n row")

    for drawn, said in (
        (True, "rows drawn at random: .*; give sample="),
        (False, "the sample: .*that it takes"),
    ):
        with pytest.raises(ConvertError, match=f"the model itself fails on {said}") as found:
            NUMBERS.asked({}, refuse, drawn=drawn)
        assert "ValueError: no such row;" in str(found.value)


def test_notes_of_many_categories_end() -> None:
    assert told({"a": [str(at) for at in range(9)]})[0].endswith("7 = 7, ...")


def test_texts_and_what_is_missing() -> None:
    sample = {"n": np.array([1, None], object), "t": np.array(["u", np.nan], object)}
    feeds, _ = MIXED.feeds(request(sample))
    assert feeds["t"].tolist() == [["u"], [""]]
    assert np.isnan(feeds["n"][1, 0])
    rows = MIXED.rows(feeds)
    assert (rows.dtype, rows.shape, rows[0].tolist()) == (object, (2, 2), [1.0, "u"])


def test_drawn_numbers_lie_off_the_borders() -> None:
    table = Table(
        [Column("a", values=[0.0, 1.0, np.nan]), Column("b", centre=100.0, spread=0.1)], separate=False
    )
    feeds, drawn = table.feeds(request())
    a, b = feeds["x"].T
    assert drawn
    assert len(a) == ROWS
    assert not set(a.tolist()) & {0.0, 1.0}
    assert np.isfinite(a).all()
    assert abs(b - 100).max() < 1
    assert np.array_equal(table.feeds(request())[0]["x"], feeds["x"]), "the dice fall the same each time"


def test_drawn_texts_are_those_the_model_knows() -> None:
    table = Table([Column("t", True, ["p", "q"]), Column("u", True)], separate=True)
    feeds, _ = table.feeds(request())
    assert set(feeds["t"].ravel()) == {"p", "q"}
    assert set(feeds["u"].ravel()) == {"a"}
