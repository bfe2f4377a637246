"""Cells of a CSV: how the file is encoded, what parts cells, which hold nothing, and numbers with a comma.

Whoever reads tables asks here, so that a model is given what it learned from; knows no meaning of columns.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
READ = "read"
"""The row of a model's metadata that says how its table was read."""
DELIMITERS = (",", ";", "\t", "|")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
QUOTED = re.compile(r'"[^"]*"')
WITHOUT = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)"
EXPONENT = r"([eE][+-]?\d+)?"
COMMA = re.compile(rf"{WITHOUT},\d+{EXPONENT}")
WHOLE = re.compile(WITHOUT + EXPONENT)
DIGIT = re.compile(r"\d")


def is_missing(cell: object) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or cell != cell or str(cell).strip().lower() in MISSING


def encoding_of(path: Path) -> str:
    """UTF-8, or UTF-16 with a mark."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"


def header_of(path: Path, encoding: str) -> tuple[str, int]:
    """What parts cells, and how many the header has: 0 if it goes on in the next line.

    Of comma, semicolon, tab and bar it is the one that the header has most of.
    """
    with path.open(encoding=encoding) as file:
        header = next((line for line in file if line.strip()), "")
    plain = QUOTED.sub("", header)
    delimiter = max(DELIMITERS, key=plain.count)
    return delimiter, 0 if '"' in plain else plain.count(delimiter) + 1


def has_commas(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers such as 1.234,5, one with a comma at least, and else no digit."""
    found = False
    for cell in cells:
        text = cell.strip()
        if COMMA.fullmatch(text):
            found = True
        elif DIGIT.search(text) and not WHOLE.fullmatch(text):
            return False
    return found


def with_point(cell: str) -> str:
    """A number as 1.234,5 as 1234.5; a cell without a digit as it is."""
    return cell.strip().replace(".", "").replace(",", ".") if DIGIT.search(cell) else cell


def distinct(names: Sequence[str]) -> list[str]:
    """The names of columns, each its own: `price.1` if one came before, `Unnamed: 0` if it has none."""
    found: list[str] = []
    for at, given in enumerate(names):
        name = given or f"Unnamed: {at}"
        other, count = name, 0
        while other in found:
            count += 1
            other = f"{name}.{count}"
        found.append(other)
    return found
