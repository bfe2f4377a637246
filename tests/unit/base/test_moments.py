"""A text of a date is read by the convention of its column."""

from __future__ import annotations

from datetime import datetime

import pytest

from sardonyx.base.moments import Convention, convention, moment, part


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("03.04.2024", datetime(2024, 4, 3)),
        ("3/4/24 23:05", datetime(2024, 4, 3, 23, 5)),
        ("3-4-70", datetime(1970, 4, 3)),
        ("2024-04-03T23:05:59.25Z", datetime(2024, 4, 3, 23, 5, 59, 250000)),
        ("20240403.0", datetime(2024, 4, 3)),
        ("April 3, 2024 12:30 a.m.", datetime(2024, 4, 3, 0, 30)),
        ("3 apr 2024, 12:30 PM", datetime(2024, 4, 3, 12, 30)),
        ("04/2024", datetime(2024, 4, 1)),
        ("29.02.2023", None),
        ("04/13/2024", None),
        ("1.2.345", None),
        ("2024-04-03 24:00", None),
        ("2024-04-03 13:00 pm", None),
        ("0000-01-01", None),
        ("soon", None),
    ],
)
def test_texts(text: str, told: datetime | None) -> None:
    assert moment(text, Convention("day")) == told


def test_moments_of_several_zones_are_those_of_utc() -> None:
    texts = ["2020-01-01 00:00+02:00", "2020-01-01 00:00-0530"]
    how = convention(texts)
    assert how == Convention("", utc=True) and convention(texts[:1]) == Convention("")
    assert [moment(text, how) for text in texts] == [datetime(2019, 12, 31, 22), datetime(2020, 1, 1, 5, 30)]
    assert moment("0001-01-01 00:00+02:00", how) is None


def test_what_tells_the_first_field() -> None:
    assert convention(["01.02.2020", "n/a"]).first == "day"
    assert convention(["01.02.2020", "01/02/2020"]).first == "month"
    assert convention(["01.02.2020", "01.13.2020"]).first == "month"
    assert convention(["01/02/2020", "13/02/2020"]).first == "day"


def test_parts() -> None:
    when = datetime(2024, 2, 29, 13)
    assert [part(when, name) for name in ("year", "month", "day", "weekday", "hour")] == [2024, 2, 29, 3, 13]
