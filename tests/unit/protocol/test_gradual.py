"""Long texts of JSON read a piece at a time: what they hold, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.gradual import parse_gradually
from tests.unit.protocol.reading import read_out

NUMBERS = np.arange(24) - 3


def read(text: str, long: int = 20, piece: int = 7) -> tuple[Any, int]:
    """The document, and how often others had their turn."""
    return read_out(parse_gradually(text.encode(), long, piece))


@pytest.mark.parametrize("shape", [(24,), (1, 24), (4, 6), (24, 1), (2, 3, 4), (1, 1, 24, 1), (6, 2, 2, 1)])
@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_lists_are_arrays(shape: tuple[int, ...], piece: int, indent: int | None) -> None:
    whole = NUMBERS.reshape(shape)
    document = {"a": [{"data": whole.tolist(), "n": 1}, {"data": (whole / 8).tolist()}], "b": {"c": "d"}}
    found, turns = read(json.dumps(document, indent=indent), piece=piece)
    assert turns > 1
    for given, expected in zip(found["a"], [whole, whole / 8], strict=True):
        assert given["data"].dtype == expected.dtype
        np.testing.assert_array_equal(given["data"], expected)
    assert found["b"] == {"c": "d"} and found["a"][0]["n"] == 1


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ("[1, 2, 3, 4, 5, 6, 7, 8.5]", "f8"),
        ("[18446744073709551615, 1, 2, 3, 4]", "u8"),
        ("[NaN, 1, -Infinity, 2.0, 3, 4, 5]", "f8"),
        ("[true, false, true, true, false]", "?"),
        ("[[], [], [], [], [], [], [], [], []]", "i8"),
    ],
)
def test_what_an_array_may_hold(items: str, kind: str) -> None:
    found, _ = read(items)
    assert found.dtype == kind
    np.testing.assert_array_equal(found, np.array(json.loads(items), kind))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"}',
        '{"a": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "x"]}',
        '{"a": "\N{REPLACEMENT CHARACTER}long list 0", "b": [1, 2, 3, 4, 5, 6, 7, 8]}',
        '{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "a": 1}',
        '{"a": "b, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], c"}',
    ],
)
def test_what_is_no_value_of_its_own_is_read_as_ever(text: str) -> None:
    assert read(text) == (json.loads(text), 0)


@pytest.mark.parametrize(
    "items",
    [
        "[[1, 2, 3], [4, 5], [6, 7, 8]]",
        "[1, 2, [3, 4], 5, 6, 7, 8, 9]",
        "[1, 2, 3, 4, 5, null, 6, 7, 8]",
        "[1, 2, 3, true, 4, 5, 6, 7, 8]",
        "[1, 2, 3, , 4, 5, 6, 7, 8, 9]",
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, ]",
        "[1, 2, 3], 4, 5, 6, 7, 8, 9, 10]",
        "[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "[[1, 2], [3, 4], 5, [6, 7, 8]]]",
        "[1, 2, 3 4, 5, 6, 7, 8, 9, 10]",
        "[" * 100 + "1" + "]" * 100,
        "[1, 2, 1e5x, 4, 5, 6, 7, 8, 9, 10]",
        "{[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]: 1}",
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_what_is_no_array_is_refused(items: str, piece: int) -> None:
    with pytest.raises(ServeError):
        read(f'{{"data": {items}}}', piece=piece)
