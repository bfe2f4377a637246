"""Durations as monitors are given them."""

from __future__ import annotations

import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.monitors import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P7D", 7 * 86400),
        ("PT1H30M", 5400),
        ("P1WT5S", 604805),
        (" 15m ", 900),
        ("2 h", 7200),
        ("1w", 604800),
        ("1s", 1),
        ("P3660D", 3660 * 86400),
    ],
)
def test_both_ways_to_write_a_duration(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "P1M", "P1Y", "7", "1.5h", "-1h", "7days", "p7d"])
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ServeError, match=r"^lookback .*: write P7D or PT1H") as caught:
        seconds(text, "lookback")
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("text", ["0s", "PT0S", "P3661D", "99999999w"])
def test_nothing_and_more_than_ten_years_are_refused(text: str) -> None:
    with pytest.raises(ServeError, match="from one second to ten years"):
        seconds(text)
