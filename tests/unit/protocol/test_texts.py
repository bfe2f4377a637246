"""Long lists of texts read a piece at a time: any text may be in them, and they are what JSON says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.texts import long_lists
from tests.unit.protocol.test_gradual import read

TEXTS = [
    "plain",
    "",
    '"',
    ",",
    '","',
    "\\",
    "[",
    "]",
    '"],["',
    "{",
    "\n",
    "ä",
    "\N{GRINNING FACE}",
    '\\","',
] * 3


@pytest.mark.parametrize("shape", [(42,), (1, 42), (42, 1), (6, 7), (2, 3, 7), (1, 1, 42, 1)])
@pytest.mark.parametrize("piece", [1, 7, 60, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_texts_are_read_in_pieces(shape: tuple[int, ...], piece: int, indent: int | None) -> None:
    whole = np.array(TEXTS, object).reshape(shape).tolist()
    document = {"a": [{"name": "x", "data": whole, "n": [1]}, {"data": whole}], "b": {"c": TEXTS}}
    found, turns = read(json.dumps(document, indent=indent), piece=piece)
    assert found == document
    assert turns > 1
    assert read(json.dumps(TEXTS), piece=piece)[0] == TEXTS


def test_short_lists_stay_where_they_are() -> None:
    text = b'{"a": ["b"], "c": ["d", "e", "f", "g", "h"], "[": [1, 2, 3, 4, 5, 6, 7, 8, 9]}'
    reading = long_lists(text, 20, 4)
    with pytest.raises(StopIteration) as done:
        while True:
            next(reading)
    (((start, stop), items),) = done.value.value
    assert items == ["d", "e", "f", "g", "h"] == json.loads(text[start:stop])


def test_numbers_beside_texts_are_arrays() -> None:
    numbers = list(range(30))
    found, _ = read(
        json.dumps({"a": numbers, "b": TEXTS, "c": numbers, "d": [["a", 1, None], ["b", 2.5, True]]})
    )
    assert found["a"].tolist() == found["c"].tolist() == numbers
    assert found["b"] == TEXTS and found["d"] == [["a", 1, None], ["b", 2.5, True]]


@pytest.mark.parametrize(
    "items",
    [
        '["a", "b", "c", "d", "e", "f",]',
        '["a", "b", "c",, "d", "e", "f"]',
        '["a", "b", "c" "d", "e", "f"]',
        '["a", "b", "c", "d", "e", "f"',
        '["a", "b", "c", "d", "e", "f"]]',
        '[["a", "b"], "c"], "d", "e", "f"]',
        '[["a", "b"],], ["c", "d", "e"]]',
        '["a", "b", "c, "d", "e", "f"]',
        '["a", "b", "\\ud800", "d", "e", "f"]',
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_what_is_no_list_is_refused(items: str, piece: int) -> None:
    with pytest.raises(ServeError):
        read(f'{{"data": {items}}}', piece=piece)


@pytest.mark.parametrize(
    "items", ['["a", ["b", ["c"]], "d", "e", "f"]', '[["a", {"b": "c"}], ["d", 1, "efgh"]]']
)
def test_lists_of_any_form_are_what_they_are(items: str) -> None:
    expected: Any = {"data": json.loads(items)}
    assert read(json.dumps(expected), piece=1)[0] == expected
