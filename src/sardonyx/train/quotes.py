"""Quotes of a CSV that swallow rows: a stray one begins a cell that ends at the next quote, lines later.

Decides which cells of several lines cannot be meant; must not know what a column means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

SURE_LINES, SURE_COLUMNS = 3, 4


def check_quotes(text: str, delimiter: str, columns: int) -> None:
    """ValueError names the line of a quote that is not closed or that swallows rows of the table.

    `columns` is how many the table has, 0 if that is not known.
    """
    mark = re.escape(delimiter)
    quoted = re.compile(rf'(?P<before>^|{mark})"(?P<inner>[^"]*(?:""[^"]*)*)(?P<end>"?)', re.MULTILINE)
    tall = [cell for cell in quoted.finditer(text) if "\n" in cell["inner"] or not cell["end"]]
    for row in _rows(text, tall):
        outside = quoted.sub(r"\g<before>", _outside(text, row))
        is_short = columns > 0 and outside.count(delimiter) != columns - 1
        for cell in row:
            first = text.count("\n", 0, cell.start("inner")) + 1
            if not cell["end"]:
                raise ValueError(
                    f"the quote that begins a cell in line {first} is never closed; take it away"
                )
            is_cut = text[cell.end() : cell.end() + 1] not in ("", "\n", " ", delimiter)
            if is_short or is_cut or _holds_rows(cell["inner"], delimiter, columns):
                raise ValueError(
                    f"the quote that begins a cell in line {first} ends it in line "
                    f"{first + cell['inner'].count(chr(10))} and swallows what lies between; take it away, "
                    "or write it twice within quotes"
                )


def _rows(text: str, cells: Sequence[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Cells of several lines, those of one row together."""
    row: list[re.Match[str]] = []
    for cell in cells:
        if row and "\n" in text[row[-1].end() : cell.start("inner")]:
            yield row
            row = []
        row.append(cell)
    if row:
        yield row


def _outside(text: str, row: Sequence[re.Match[str]]) -> str:
    """The row without its cells of several lines."""
    stop = text.find("\n", row[-1].end())
    begins = [text.rfind("\n", 0, row[0].start("inner")) + 1, *(cell.end() for cell in row)]
    ends = [*(cell.start("inner") - 1 for cell in row), len(text) if stop < 0 else stop]
    return "".join(text[begin:end] for begin, end in zip(begins, ends, strict=True))


def _holds_rows(inner: str, delimiter: str, columns: int) -> bool:
    """Whether all whole lines within have as many cells as the table, and are enough to be sure."""
    lines = inner.split("\n")[1:-1]
    if columns < 2 or len(lines) < (1 if columns >= SURE_COLUMNS else SURE_LINES):
        return False
    return all(line.count(delimiter) == columns - 1 for line in lines)
