"""Texts of dates as moments: which texts are dates, and whether their day or their month stands first.

A convention is one of a whole column, never of a row.
"""

from __future__ import annotations

import re
import warnings

import pandas

MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
CLOCK = r"([ T,]+\d{1,2}:\d{2}.*)?"
YEAR, MONTH_NUMBER = r"(19|20)\d{2}", r"(0[1-9]|1[0-2])"
COMPACT = rf"{YEAR}{MONTH_NUMBER}(0[1-9]|[12]\d|3[01])"
FORMS = (
    COMPACT,
    rf"{YEAR}[-/]{MONTH_NUMBER}",
    rf"{MONTH_NUMBER}[-/]{YEAR}",
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}",
    rf"\d{{1,2}}[ -]{MONTH},?[ -]\d{{2,4}}",
    rf"{MONTH} \d{{1,2}},? \d{{4}}",
)
DATE = re.compile(f"({'|'.join(FORMS)}){CLOCK}", re.IGNORECASE)
FIELDS = r"^\s*(\d{1,2})([./-])(\d{1,2})[./-]\d{2,4}"


def are_dates(texts: pandas.Series) -> bool:
    """Whether all texts look like dates."""
    return bool(texts.map(lambda text: DATE.fullmatch(text.strip()) is not None).all())


def are_compact(values: pandas.Series) -> bool:
    """Whether all are dates as 20240229, written as texts or as numbers."""
    return bool(_digits(values).str.fullmatch(COMPACT).all()) and bool(moments(values).notna().all())


def _digits(values: pandas.Series) -> pandas.Series:
    """Texts; whole floats, as columns of numbers with missing ones have them, without their point."""
    return values.astype(str).str.strip().str.replace(r"\.0+$", "", regex=True)


def first_field(texts: pandas.Series) -> str:
    """What stands first where both are numbers: `day` or `month`, or nothing where the year does.

    A field beyond 12 tells; else points stand behind days, and other marks behind months.
    """
    fields = texts.astype(str).str.extract(FIELDS).dropna()
    if fields.empty:
        return ""
    if (fields[0].astype(int) > 12).any():
        return "day"
    if (fields[2].astype(int) > 12).any():
        return "month"
    return "day" if (fields[1] == ".").all() else "month"


def moments(values: pandas.Series) -> pandas.Series:
    """Dates of a column of texts or dates, NaT where a cell is none; of several time zones, in UTC."""
    if pandas.api.types.is_datetime64_any_dtype(values):
        return values
    present = values.dropna()
    digits = _digits(present)
    if digits.str.fullmatch(COMPACT).all() and len(present):
        return pandas.to_datetime(digits, errors="coerce", format="%Y%m%d").reindex(values.index)
    is_day_first = first_field(present) == "day"
    for utc in (False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read = pandas.to_datetime(
                    values, errors="coerce", format="mixed", dayfirst=is_day_first, utc=utc
                )
        except ValueError:
            continue
        if pandas.api.types.is_datetime64_any_dtype(read):
            return read
    return pandas.Series(pandas.NaT, values.index, dtype="datetime64[us]")
