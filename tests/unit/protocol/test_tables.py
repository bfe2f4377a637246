"""Long lists of records read a piece at a time: the columns of what JSON says, whatever texts hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.tables import Columns, parse_tables_gradually
from tests.unit.protocol.reading import read_out

WORDS = ["plain", "", '"', "},{", "},", '"},{"', "]", "[{", "\\", "\n", "ä", "\N{GRINNING FACE}", '\\"},']
RECORDS = [{"n": at, "half": at / 2, "word": WORDS[at % len(WORDS)], '},{"': at % 2 > 0} for at in range(40)]


def read(text: str, long: int = 20, piece: int = 60) -> tuple[Any, int]:
    """The document, and how often others had their turn."""
    return read_out(parse_tables_gradually(text.encode(), long, piece))


def records_of(columns: Columns) -> list[dict[str, Any]]:
    lists = [np.asarray(column, object).tolist() for column in columns.by_name.values()]
    return [dict(zip(columns.by_name, row, strict=True)) for row in zip(*lists, strict=True)]


@pytest.mark.parametrize("piece", [1, 60, 100_000])
@pytest.mark.parametrize("indent", [None, 1])
def test_records_become_columns(piece: int, indent: int | None) -> None:
    after = {"list": [1, 2, "},{"], "more": [{"a": 1}, {"a": 2}]}
    found, turns = read(json.dumps({"a": 1, "data": RECORDS, **after}, indent=indent), piece=piece)
    assert records_of(found.pop("data")) == RECORDS and found == {"a": 1, **after}
    assert (turns > 8) == (piece < 100)
    alone, _ = read(json.dumps(RECORDS, indent=indent), piece=piece)
    assert records_of(alone) == RECORDS
    kinds = [getattr(column, "dtype", None) for column in alone.by_name.values()]
    assert kinds == [np.int64, np.float64, None, None]


@pytest.mark.parametrize(
    "values",
    [[1, 2.5] * 9, [2**63, 1] * 9, [1, None] * 9, [1] * 9 + ["a"] * 9, [True, False] * 9, [2**70, 1] * 9],
    ids=str,
)
def test_what_pieces_hold_together_is_what_the_list_holds(values: list[Any]) -> None:
    found, _ = read(json.dumps([{"x": value} for value in values]))
    assert np.asarray(found.by_name["x"], object).tolist() == values


@pytest.mark.parametrize(
    "document",
    [
        [{"a": 1}],
        [{}, {}],
        {"inputs": [{"name": "x", "shape": [9], "data": list(range(9))}, {"name": "y", "data": ["},{"] * 9}]},
        {"a": {"b": [{"c": 1}] * 20}},
        {"text": '[{"a": 1}, {"a": 2}]' * 9},
        {"text": "[{}, {}, {}, {}, {}, {}, {}, {}, {}]"},
        {"text": "[{}, {}, {}, {}, {}, {}, {}, {}, 3]"},
        [{"a": 1}, {"b": 2}, {"a": 3}, {"a": 4}],
        [{"a": 1}, {"a": 2, "b": 3}, {"a": 4}, {"a": 5}],
        [{"a": 1}, {"a": 2}, 3, {"a": 4}, {"a": 5}],
    ],
    ids=str,
)
def test_what_is_no_long_table_is_read_as_ever(document: Any) -> None:
    found, _ = read(json.dumps(document), long=20 if len(str(document)) > 40 else 1000)
    assert json.loads(json.dumps(found, default=lambda array: array.tolist())) == document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}, {"a": 2}, {"a": 3}, {"a": ]', "failed to parse the request JSON"),
        ('[{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4', "failed to parse the request JSON"),
        ('{"x": [{"a": 1}, {"a": 2}, {"a": 3}] "y"}', "failed to parse the request JSON"),
    ],
)
def test_what_is_malformed_is_refused(text: str, said: str) -> None:
    for piece in (1, 9, 1000):
        with pytest.raises(ServeError, match=said):
            read(text, piece=piece)
