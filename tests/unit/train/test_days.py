"""Texts of dates are read by one convention for a column."""

from __future__ import annotations

import pandas
import pytest

from sardonyx.train.days import are_compact, are_dates, how_of, moments

DAYS = pandas.date_range("2020-01-28", periods=12, freq="37h")


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("%d.%m.%Y", "day"),
        ("%d/%m/%Y", "day"),
        ("%m/%d/%Y", "month"),
        ("%d-%m-%y %H:%M", "day"),
        ("%m/%d/%Y %I:%M %p", "month"),
        ("%Y-%m-%d", ""),
        ("%Y%m%d", ""),
        ("%Y-%m-%dT%H:%M:%SZ", ""),
        ("%Y-%m-%d %H:%M:%S+02:00", ""),
        ("%d %b %Y", ""),
        ("%B %d, %Y", ""),
    ],
)
def test_forms(form: str, first: str) -> None:
    texts = pandas.Series(DAYS.strftime(form))
    assert are_dates(texts) and how_of(texts).first == first
    assert [(day.month, day.day) for day in moments(texts)] == [(day.month, day.day) for day in DAYS]


def test_what_nothing_contradicts() -> None:
    assert how_of(pandas.Series(["01.02.2020", "03.04.2020"])).first == "day"
    assert how_of(pandas.Series(["01/02/2020", "03/04/2020"])).first == "month"
    assert moments(pandas.Series(["01.02.2020"]))[0].month == 2


@pytest.mark.parametrize("form", ["%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y"])
def test_months(form: str) -> None:
    texts = pandas.Series(["", *DAYS.strftime(form)])
    assert are_dates(texts[1:])
    read = moments(texts.where(texts != ""))
    assert read.isna().tolist() == [True] + [False] * 12
    assert [(day.year, day.month) for day in read[1:]] == [(day.year, day.month) for day in DAYS]


@pytest.mark.parametrize("kind", [int, float, str])
def test_dates_as_numbers(kind: type) -> None:
    numbers = pandas.Series([20200228, 20200229, 20191231]).astype(kind)
    assert are_compact(numbers)
    read = moments(pandas.concat([numbers, pandas.Series([None])], ignore_index=True))
    assert read.dt.strftime("%d.%m.%y").fillna("").tolist() == ["28.02.20", "29.02.20", "31.12.19", ""]
    for other in (20210229, 20201301, 18991231, 2020010):
        assert not are_compact(pandas.concat([numbers, pandas.Series([other]).astype(kind)]))


def test_cells_that_are_no_dates() -> None:
    assert not are_dates(pandas.Series(["2020-01-01", "soon"]))
    read = moments(pandas.Series(["2020-01-01", "soon", None, "2020-02-30"]))
    assert read.notna().tolist() == [True, False, False, False]
    assert moments(pandas.Series(["red", "blue"])).isna().all()


def test_several_time_zones() -> None:
    read = moments(pandas.Series(["2020-01-01 00:00+02:00", "2020-01-01 00:00-05:00"]))
    assert [moment.hour for moment in read] == [22, 5]
    assert moments(read) is read
