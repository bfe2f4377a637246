"""A CSV as texts: how it is encoded, what parts its cells, and which columns write numbers with a comma.

Decides nothing of what a column means.
"""

from __future__ import annotations

import codecs
import re
import warnings
from pathlib import Path

import pandas

from sardonyx.train.quotes import check_quotes

DELIMITERS = (",", ";", "\t", "|")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
EXPONENT = r"([eE][+-]?\d+)?"
WITHOUT = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)"
WITH_COMMA = rf"{WITHOUT},\d+{EXPONENT}"
QUOTED = re.compile(r'"[^"]*"')


def read_csv(path: Path) -> pandas.DataFrame:
    """All cells as texts; ValueError says what is wrong with the file.

    Texts are UTF-8, or UTF-16 with a mark. Of comma, semicolon, tab and bar the one parts cells that the
    header has most of. Where it is no comma, columns of numbers such as 1.234,5 become 1234.5.
    """
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
    try:
        delimiter, columns = _header(path, encoding)
        text = path.read_text(encoding=encoding)
        if '"' in text:
            check_quotes(text, delimiter, columns)
        del text
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                path, sep=delimiter, dtype=str, keep_default_na=False, encoding=encoding, index_col=False
            )
    except pandas.errors.ParserWarning as error:
        raise ValueError("rows have more cells than the header names") from error
    except UnicodeError as error:
        raise ValueError(
            f"it is not text in UTF-8 ({error}); save it as such, in a spreadsheet as 'CSV UTF-8'"
        ) from error
    return frame if delimiter == "," else frame.apply(_with_points)


def _header(path: Path, encoding: str) -> tuple[str, int]:
    """What parts cells, and how many the header has: 0 if it goes on in the next line."""
    with path.open(encoding=encoding) as file:
        header = next((line for line in file if line.strip()), "")
    plain = QUOTED.sub("", header)
    delimiter = max(DELIMITERS, key=plain.count)
    return delimiter, 0 if '"' in plain else plain.count(delimiter) + 1


def _with_points(column: pandas.Series) -> pandas.Series:
    cells = column.fillna("").str.strip()
    with_comma, has_digits = cells.str.fullmatch(WITH_COMMA), cells.str.contains(r"\d")
    if not with_comma.any() or not (with_comma | cells.str.fullmatch(WITHOUT + EXPONENT) | ~has_digits).all():
        return column
    points = cells.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return column.where(~has_digits, points)
