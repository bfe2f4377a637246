"""What a column is taken for, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from sardonyx.train.table import TrainError, described, prepared, read

DAYS = pandas.date_range("2019-12-25", periods=60, freq="13D")
COMPACT = DAYS.strftime("%Y%m%d")
PARTS = "its parts are asked for; ISO texts would be read"
MANY = np.arange(60) * 7919


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (COMPACT, "date", f"read as 2019-12-25 and so on; {PARTS}"),
        (COMPACT.astype(int), "date", f"read as 2019-12-25 and so on; {PARTS}"),
        (DAYS.strftime("%Y-%m"), "date", PARTS),
        ([f"{at % 24}:45" for at in range(60)], "category", "times as '0:45': as numbers of hours"),
        ([f"{at % 24:02}:{at:02}" for at in range(60)], "ignored", "; times as '00:00': as numbers"),
        ([f"€ {at:,}" for at in MANY], "ignored", "every row; numbers with signs, as '€ 0': as plain"),
        ([f"{at % 30},5 %" for at in MANY], "category", "numbers with signs, as '0,5 %': as plain"),
        (MANY + 2**24 + 1, "number", "16777217 becomes 16777216 in float32; names"),
        ([*(MANY + 0.5), 2.0**24 + 1, np.inf], "number", "16777217 becomes 16777216 in float32; names"),
        (MANY * 2**24, "number", ""),
        ([f"{at % 30:05}" for at in range(60)], "category", "digits with leading zeros name things"),
        ([f"{at:05}" for at in MANY], "ignored", "has another value in nearly every row"),
        (["0", "0.5", "-0.25"] * 20, "number", ""),
        (["yes"] * 60, "ignored", "has one value only"),
        (["yes", "", "N/A"] * 20, "category", "has one value or none"),
        ([2.5, np.nan] * 30, "category", "has one value or none"),
        ([*(MANY / 7), 1e300, np.inf], "number", ""),
    ],
)
def test_columns(values: Any, kind: str, why: str) -> None:
    (column,) = described(pandas.DataFrame({"a": values}), {}, [])
    assert column.kind == kind and why in column.why and bool(why) == bool(column.why)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="is a folder; give a file"):
        read(tmp_path)


def test_dates_as_numbers_with_missing_ones() -> None:
    frame = pandas.DataFrame({"a": [np.nan, *COMPACT.astype(float)]})
    inputs, columns = prepared(frame, described(frame, {}, []))
    assert [column.name for column in columns] == ["a.year", "a.month", "a.day", "a.weekday"]
    assert inputs.isna().all(axis=1).tolist() == [True] + [False] * 60
    assert inputs["a.day"][1:].tolist() == DAYS.day.tolist()


@pytest.mark.parametrize("query", ["", ";", "-- nothing"])
def test_queries_without_rows(query: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(TrainError, match=r"--query .* gives no rows; SELECT some"):
        read(tmp_path / "t.csv", query)
    assert read(tmp_path / "t.csv", "select a from data")["a"].tolist() == [1]


def test_names_of_columns_are_texts_and_their_own() -> None:
    frame = read(pandas.DataFrame(np.ones((3, 3)), columns=[0, "a", "a"]))
    assert list(frame) == ["0", "a", "a.1"]
    assert list(read(pandas.DataFrame(np.ones((1, 2)), columns=["a", ""]))) == ["a", "Unnamed: 1"]
    blank = read(pandas.DataFrame(np.ones((1, 4)), columns=[None, " ", np.nan, 3]))
    assert list(blank) == ["Unnamed: 0", "Unnamed: 1", "Unnamed: 2", "3"]


def test_tables_of_other_libraries() -> None:
    arrow = pytest.importorskip("pyarrow")
    assert read(arrow.table({"a": [1, 2]}))["a"].tolist() == [1, 2]
    with pytest.raises(TrainError, match="a dict is no table; give a file, or a data frame"):
        read({"a": [1, 2]})


def test_complex_numbers_are_left_out() -> None:
    (column,) = described(pandas.DataFrame({"a": MANY + 1j}), {}, [])
    assert (column.kind, column.why) == ("ignored", "holds complex numbers")


def test_cells_that_hold_several_things_are_left_out() -> None:
    (column,) = described(pandas.DataFrame({"a": [[1, 2], [3]]}), {}, [])
    assert (column.kind, column.why) == ("ignored", "holds more than one thing, as list")


@pytest.mark.parametrize("kind", ["Int64", "boolean", "string"])
def test_columns_of_pandas_that_may_be_missing(kind: str) -> None:
    frame = pandas.DataFrame({"a": pandas.array([1, None, 0] * 20).astype(kind)})
    inputs, _ = prepared(frame, described(frame, {"a": "category"}, []))
    assert inputs["a"][1] == "" and inputs["a"].nunique() == 3


def test_durations_are_seconds() -> None:
    frame = read(pandas.DataFrame({"took": pandas.to_timedelta([90, 5, None, 7] * 3, unit="s")}))
    (column,) = described(frame, {}, [])
    assert (column.kind, column.why) == ("number", "durations, in seconds")
    made, _ = prepared(frame, [column])
    assert made["took"].dtype == np.float32 and made["took"][:2].tolist() == [90, 5]
    assert made["took"].isna().sum() == 3


def test_columns_of_several_levels_have_one_name() -> None:
    levels = pandas.MultiIndex.from_tuples([("size", "mean"), ("size", "max"), ("hue", "")])
    assert list(read(pandas.DataFrame(np.eye(3), columns=levels))) == ["size mean", "size max", "hue"]
