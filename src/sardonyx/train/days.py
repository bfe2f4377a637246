"""Columns of dates as moments: which columns are dates, and by which convention.

What a single text means stands in `base/moments.py`, which those who give rows to a model ask as well.
"""

from __future__ import annotations

import pandas

from sardonyx.base.moments import COMPACT, DATE, Convention, convention, moment


def are_dates(texts: pandas.Series) -> bool:
    """Whether all texts look like dates."""
    return bool(texts.map(lambda text: DATE.fullmatch(text.strip()) is not None).all())


def are_compact(values: pandas.Series) -> bool:
    """Whether all are dates as 20240229, written as texts or as numbers."""
    is_compact = values.astype(str).str.strip().str.fullmatch(rf"{COMPACT}(\.0+)?").all()
    return bool(is_compact) and bool(moments(values).notna().all())


def how_of(values: pandas.Series) -> Convention:
    """The convention of a column of texts, or of numbers as 20240229."""
    return convention(values.dropna().astype(str))


def moments(values: pandas.Series) -> pandas.Series:
    """Dates of a column of texts or dates, NaT where a cell is none; of several time zones, in UTC."""
    if pandas.api.types.is_datetime64_any_dtype(values):
        return values
    texts = values.dropna().astype(str)
    how = convention(texts.unique())
    read = {text: moment(text, how) for text in texts.unique()}
    found = pandas.Series([read[text] for text in texts], texts.index, dtype="datetime64[us]")
    return found.reindex(values.index)
