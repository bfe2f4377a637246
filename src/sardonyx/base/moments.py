"""Texts of dates as moments: which texts are dates, and which field stands first.

A convention is one of a whole column, never of a row: who reads a row alone has to be told it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from sardonyx.base.dataclass import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"(?:{'|'.join(MONTHS)})[a-z]*\.?"
YEAR, MONTH_NUMBER = r"(?:19|20)\d{2}", r"(?:0[1-9]|1[0-2])"
COMPACT = rf"{YEAR}{MONTH_NUMBER}(?:0[1-9]|[12]\d|3[01])"
FORMS = {
    "compact": rf"(?P<compact>{COMPACT})(?:\.0+)?",
    "year_month": rf"(?P<y1>{YEAR})[-/](?P<m1>{MONTH_NUMBER})",
    "month_year": rf"(?P<m2>{MONTH_NUMBER})[-/](?P<y2>{YEAR})",
    "fields": r"(?P<a>\d{1,4})(?P<mark>[-/.])(?P<b>\d{1,2})[-/.](?P<c>\d{1,4})",
    "day_month": rf"(?P<d3>\d{{1,2}})[ -](?P<m3>{MONTH}),?[ -](?P<y3>\d{{2,4}})",
    "month_day": rf"(?P<m4>{MONTH}) (?P<d4>\d{{1,2}}),? (?P<y4>\d{{4}})",
}
CLOCK = r"[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})"
SECONDS = r"(?::(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?"
HALF = r"\s*(?P<half>[ap]\.?m\.?)?"
ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
DATE = re.compile(f"(?:{'|'.join(FORMS.values())})(?:{CLOCK}{SECONDS}{HALF}{ZONE})?", re.IGNORECASE)
PARTS = ("year", "month", "day", "weekday", "hour")
PIVOT = 69
"""Years of two digits from here on are of the last century, as of POSIX."""


@dataclass(frozen=True)
class Convention:
    """How the dates of a column are written: what stands `first` where both are numbers, `day` or `month`.

    `utc`: there are several time zones, so moments are those of UTC; else they are the clock's.
    """

    first: str = "month"
    utc: bool = False


def convention(texts: Iterable[str]) -> Convention:
    """That of a column. A field beyond 12 tells; else points stand behind days, other marks behind months."""
    marks, days, zones = set(), 0, set()
    first = ""
    for text in texts:
        found = DATE.fullmatch(text.strip())
        if found is None:
            continue
        zones.add(found["zone"])
        if found["a"] is None or len(found["a"]) > 2:
            continue
        marks.add(found["mark"])
        first = first or ("day" if int(found["a"]) > 12 else "")
        days += int(found["b"]) > 12
    other = "month" if days else "day" if marks == {"."} else "month"
    return Convention((first or other) if marks else "", utc=len(zones) > 1)


def moment(text: str, how: Convention) -> datetime | None:
    """The moment of a text, without a zone; None if it is no date."""
    found = DATE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        year, month, day = _day(found, how)
        read = datetime(year, month, day) + _clock(found)
        if not how.utc or not found["zone"]:
            return read
        return read.replace(tzinfo=_zone(found["zone"])).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def part(when: datetime, name: str) -> int:
    """The year, month, day, weekday (Monday is 0) or hour."""
    return when.weekday() if name == "weekday" else int(getattr(when, name))


def _day(found: re.Match[str], how: Convention) -> tuple[int, int, int]:
    """Year, month, day; ValueError if the fields cannot be those."""
    if compact := found["compact"]:
        return int(compact[:4]), int(compact[4:6]), int(compact[6:])
    if found["y1"] or found["y2"]:
        return int(found["y1"] or found["y2"]), int(found["m1"] or found["m2"]), 1
    if found["a"] is None:
        name = (found["m3"] or found["m4"])[:3].lower()
        return _year(found["y3"] or found["y4"]), MONTHS.index(name) + 1, int(found["d3"] or found["d4"])
    if len(found["a"]) > 2:
        return _year(found["a"]), int(found["b"]), int(found["c"])
    day, month = (found["a"], found["b"]) if how.first == "day" else (found["b"], found["a"])
    return _year(found["c"]), int(month), int(day)


def _year(digits: str) -> int:
    if len(digits) not in (2, 4):
        raise ValueError(digits)
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= PIVOT else 2000)


def _clock(found: re.Match[str]) -> timedelta:
    """The time of day; ValueError if there is no such."""
    if found["hour"] is None:
        return timedelta()
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if half := (found["half"] or "").lower():
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + 12 * half.startswith("p")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(hour)
    micro = int((found["part"] or "")[:6].ljust(6, "0"))
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
