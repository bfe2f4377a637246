"""A CSV as a data frame of texts, and what is wrong with a file that is none.

Decides nothing of what a column means.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pandas

from sardonyx.base.cells import encoding_of, has_commas, header_of, with_point
from sardonyx.train.quotes import check_quotes

ZIPPED, OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
MOST_BYTES = 64
JSON = re.compile(rb"\{\s*[\"}]|\[\s*[{\[\]]")


def read_csv(path: Path) -> pandas.DataFrame:
    """All cells as texts; ValueError says what is wrong with the file.

    Texts are UTF-8, or UTF-16 with a mark. Of comma, semicolon, tab and bar the one parts cells that the
    header has most of. Where it is no comma, columns of numbers such as 1.234,5 become 1234.5.
    """
    encoding = encoding_of(path)
    if other := _other(path):
        raise ValueError(other)
    try:
        delimiter, columns = header_of(path, encoding)
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


def _other(path: Path) -> str:
    """What another file than a CSV is and what to do with it, or nothing."""
    with path.open("rb") as file:
        begin = file.read(MOST_BYTES).lstrip()
    if begin.startswith((ZIPPED, OLD_EXCEL)):
        return "it is a spreadsheet or an archive; save its sheet as CSV (in a spreadsheet, 'CSV UTF-8')"
    if JSON.match(begin):
        lines = ", lines=True" if begin.startswith(b"{") else ""
        return f"it is JSON; pandas.read_json({path.name!r}{lines}).to_parquet(...) makes a file that is read"
    return ""


def _with_points(column: pandas.Series) -> pandas.Series:
    cells = column.fillna("")
    return cells.map(with_point) if has_commas(cells) else column
