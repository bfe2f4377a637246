"""Long lists of records in JSON, read into columns a piece at a time.

Decides where such a list may be cut: what is read between two cuts is JSON by itself, or the cut was none.
Must not know requests, nor which columns a model takes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.gradual import LONG, PIECE, as_numbers, joined, parse_gradually
from sardonyx.protocol.rest import parse
from sardonyx.protocol.texts import closed, parsed

Column = list[Any] | Array
_LOOKED_AT = 1 << 16
_FIRST = re.compile(rb'\[\s*+\{(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+\}\s*+,(?=\s*+\{)', re.DOTALL)
"""The begin of a list, and its first record, in which there are neither lists nor records."""
_CUT = re.compile(rb"\},|\}\s++,")
_MARK = "\N{REPLACEMENT CHARACTER}long records"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the records of a list hold, by name, each as long as the list; an array where all are numbers."""

    by_name: dict[str, Column]


def parse_tables_gradually(text: bytes, long: int = LONG, piece: int = PIECE) -> Generator[None, None, Any]:
    """Returns the JSON document as `parse_gradually` does, with `Columns` in place of a long list of records.

    That list is the document, or a value of it; its records have the same names in the same order.
    """
    first = _FIRST.search(text, 0, _LOOKED_AT)
    if first is None or len(text) - first.start() <= long or _MARK.encode() in text:
        return (yield from parse_gradually(text, long))
    found = yield from _records(text, first.start(), piece)
    if found is not None:
        columns, stop = found
        with contextlib.suppress(ServeError):  # else it lies in a text, or what is around it is malformed
            document = parse(b'%b"%b"%b' % (text[: first.start()], _MARK.encode(), text[stop:]))
            if document == _MARK:
                return columns
            for key, value in document.items() if isinstance(document, dict) else ():
                if value == _MARK:
                    return {**document, key: columns}
    return (yield from parse_gradually(text, long))


def _records(text: bytes, start: int, piece: int) -> Generator[None, None, tuple[Columns, int] | None]:
    """The columns of a list and where it ends; None if no cut in it is one, or its records differ."""
    parts: dict[str, list[Column]] = {}
    at, size = start + 1, piece
    while True:
        cut = _CUT.search(text, at + size)
        end = len(text) if cut is None else cut.end() - 1
        part = b"[" + text[at:end]
        value = parsed(part + b"]") if cut is not None else None
        stop = 0
        if value is None:
            stop = closed(part)
            value = parsed(part[:stop]) if stop else None
        yield
        if value is not None:
            if not _appended(parts, value):
                return None
            if stop:
                return Columns({name: _whole(column) for name, column in parts.items()}), at + stop - 1
            at, size = end + 1, piece
            continue
        if cut is None or stop:
            return None
        size *= 2


def _appended(parts: dict[str, list[Column]], records: list[Any]) -> bool:
    """Whether the records have the columns of those before them, to which they are added."""
    names = list(parts) or (list(records[0]) if isinstance(records[0], dict) else [])
    if any(not isinstance(record, dict) or list(record) != names for record in records):
        return False
    for name in names:
        parts.setdefault(name, []).append(_read([record[name] for record in records]))
    return bool(names)


def _read(column: list[Any]) -> Column:
    """A column as an array if it holds numbers and nothing else."""
    if any(type(value) not in (int, float) for value in column):
        return column
    try:
        return as_numbers(column)
    except OverflowError:
        return column


def _whole(parts: list[Column]) -> Column:
    arrays = [part for part in parts if not isinstance(part, list)]
    if len(arrays) == len(parts):
        return joined(arrays)
    return [value for part in parts for value in (part if isinstance(part, list) else part.tolist())]
