"""Quotes of a CSV that swallow rows: a stray one begins a cell that ends at the next quote, lines later.

Decides which cells of several lines cannot be meant; must not know what a column means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

SURE_LINES, SURE_COLUMNS = 3, 4
LOOKED_AT, FEWEST = 200, 5
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?\s*")


def check_quotes(text: str, delimiter: str, columns: int) -> None:
    """ValueError names the line of a quote that is not closed or that swallows rows of the table.

    `columns` is how many the table has, 0 if that is not known.
    """
    mark = re.escape(delimiter)
    quoted = re.compile(rf'(?P<before>^|{mark})"(?P<inner>[^"]*(?:""[^"]*)*)(?P<end>"?)', re.MULTILINE)
    tall = [cell for cell in quoted.finditer(text) if "\n" in cell["inner"] or not cell["end"]]
    numbers = _columns_of_numbers(text, delimiter, columns) if tall else []
    for row in _rows(text, tall):
        outside = quoted.sub(r"\g<before>", _outside(text, row))
        is_short = columns > 0 and outside.count(delimiter) != columns - 1
        are_rows = _are_rows(text, row, delimiter, columns, numbers)
        for cell in row:
            first = text.count("\n", 0, cell.start("inner")) + 1
            if not cell["end"]:
                raise ValueError(
                    f"the quote that begins a cell in line {first} is never closed; take it away"
                )
            is_cut = text[cell.end() : cell.end() + 1] not in ("", "\n", " ", delimiter)
            if is_short or is_cut or are_rows or _holds_rows(cell["inner"], delimiter, columns):
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


def _bounds(text: str, row: Sequence[re.Match[str]]) -> tuple[int, int]:
    """Where the first line of the row begins and the last one ends."""
    stop = text.find("\n", row[-1].end())
    return text.rfind("\n", 0, row[0].start("inner")) + 1, len(text) if stop < 0 else stop


def _outside(text: str, row: Sequence[re.Match[str]]) -> str:
    """The row without its cells of several lines."""
    start, stop = _bounds(text, row)
    begins = [start, *(cell.end() for cell in row)]
    ends = [*(cell.start("inner") - 1 for cell in row), stop]
    return "".join(text[begin:end] for begin, end in zip(begins, ends, strict=True))


def _columns_of_numbers(text: str, delimiter: str, columns: int) -> list[int]:
    """Columns that hold numbers in all of the first whole rows without a quote."""
    lines = islice((found[0] for found in re.finditer(r"(?<=\n)[^\n]+", text)), LOOKED_AT)
    rows = [line.split(delimiter) for line in lines if '"' not in line]
    rows = [row for row in rows if len(row) == columns]
    if len(rows) < FEWEST:
        return []
    return [at for at in range(columns) if all(NUMBER.fullmatch(row[at]) for row in rows)]


def _are_rows(
    text: str, row: Sequence[re.Match[str]], delimiter: str, columns: int, numbers: Sequence[int]
) -> bool:
    """Whether each line of the row would be one by itself, with numbers where other rows have them."""
    start, stop = _bounds(text, row)
    lines = [line.replace('"', "").split(delimiter) for line in text[start:stop].split("\n")]
    return bool(numbers) and all(
        len(line) == columns and all(NUMBER.fullmatch(line[at]) for at in numbers) for line in lines
    )


def _holds_rows(inner: str, delimiter: str, columns: int) -> bool:
    """Whether all whole lines within have as many cells as the table, and are enough to be sure."""
    lines = inner.split("\n")[1:-1]
    if columns < 2 or len(lines) < (1 if columns >= SURE_COLUMNS else SURE_LINES):
        return False
    return all(line.count(delimiter) == columns - 1 for line in lines)
