"""Texts are joined, split, cleaned, matched and read as their operators say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.algorithms import text


def texts(*items: str) -> Any:
    return np.array(items, object)


def test_joins_broadcast() -> None:
    assert text.join(texts("a", "b"), texts("x")).tolist() == ["ax", "bx"]


@pytest.mark.parametrize("shape", [(), (0,), (1, 2), (2, 0, 3)])
def test_shapes_are_kept(shape: tuple[int, ...]) -> None:
    x = np.full(shape, "ab c", object)
    joined = text.join(x, x)
    assert (joined.shape, joined.dtype, joined.reshape(-1).tolist()) == (shape, object, ["ab cab c"] * x.size)
    parts, counts = text.split(x, delimiter=" ", maxsplit=-1)
    assert (parts.shape, counts.shape) == ((*shape, 2 if x.size else 0), shape)
    assert parts.reshape(-1).tolist() == ["ab", "c"] * x.size
    matches = text.match(x, pattern=".* c")
    assert (matches.shape, matches.dtype) == (shape, np.bool_) and matches.all()


def test_splits_are_filled_up() -> None:
    parts, counts = text.split(texts("a-b-c", "", "d"), delimiter="-", maxsplit=-1)
    assert parts.tolist() == [["a", "b", "c"], ["", "", ""], ["d", "", ""]]
    assert counts.tolist() == [3, 1, 1]
    parts, counts = text.split(texts("  a  b c", ""), delimiter="", maxsplit=1)
    assert parts.tolist() == [["a", "b c"], ["", ""]]
    assert counts.tolist() == [2, 0]
    assert text.split(np.empty((2, 0), object), delimiter="", maxsplit=-1)[0].shape == (2, 0, 0)


def test_delimiters_of_several_characters_do_not_meet_across_texts() -> None:
    parts, counts = text.split(texts("a--", "-b", "--"), delimiter="--", maxsplit=-1)
    assert parts.tolist() == [["a", ""], ["-b", ""], ["", ""]]
    assert counts.tolist() == [2, 1, 2]
    assert text.split(texts(), delimiter="-", maxsplit=-1)[0].shape == (0, 0)


@pytest.mark.parametrize(
    ("case", "sensitive", "expected"),
    [
        ("NONE", True, ["The", "Cat"]),
        ("NONE", False, ["Cat"]),
        ("UPPER", False, ["CAT"]),
        ("LOWER", True, ["the", "cat"]),
        ("LOWER", False, ["cat"]),
    ],
)
def test_stop_words_go(case: str, sensitive: bool, expected: list[str]) -> None:
    words = texts("The", "Cat", "the")
    (got,) = text.normal(words, case=case, sensitive=sensitive, stopwords=["the"])
    assert got.tolist() == expected
    (left,) = text.normal(words[None], case=case, sensitive=False, stopwords=["the", "cat"])
    assert left.tolist() == [[""]]


def test_cases_change() -> None:
    x = texts("The", "ÉTÉ", "straße", "").reshape(2, 2)
    assert text.case(x, to="LOWER").tolist() == [["the", "été"], ["straße", ""]]
    assert text.case(x, to="UPPER").tolist() == [["THE", "ÉTÉ"], ["STRASSE", ""]]
    assert text.case(x[:0], to="UPPER").shape == (0, 2)


def test_a_whole_text_matches() -> None:
    assert text.match(texts("ab1", "ab", "xab1"), pattern=r"[a-z]+\d").tolist() == [True, False, True]
    assert text.match(texts("ab\n"), pattern="ab").tolist() == [False]


def test_numbers_are_written_and_read() -> None:
    x = np.array([1.5, np.nan, -np.inf, 1 / 3, 1e20])
    assert text.to_text(x).tolist() == ["1.5", "NaN", "-INF", "0.33333333", "1e+20"]
    assert text.to_text(np.array([True, False])).tolist() == ["1", "0"]
    for scalar, written in ((np.array(True), "1"), (np.array(-7), "-7"), (np.array(-0.0, np.float16), "-0")):
        assert text.to_text(scalar).tolist() == written
        assert text.to_text(np.empty((2, 0), scalar.dtype)).shape == (2, 0)
    assert text.from_text(texts("7", " -8 "), to=dt.I32).tolist() == [7, -8]
    assert text.from_text(texts("1e3", "nan"), to=dt.F16)[0] == 1000
    with pytest.raises(ValueError, match="x"):
        text.from_text(texts("x"), to=dt.I64)


def test_texts_are_numbered() -> None:
    keys = ("a", "b")
    assert text.numbers(texts("b", "z", "a"), keys=keys).tolist() == [1, -1, 0]


def test_what_is_made_of_attributes_is_made_once() -> None:
    made: list[Any] = []

    def make(*attrs: Any) -> Any:
        made.append(attrs)
        return len(made)

    one = ("some", "keys")
    equal = (*one[:1], "keys")
    assert text.kept(make, one) == text.kept(make, one) == 1
    assert text.kept(make, equal) == 2, "known by identity, not by content"
    for n in range(300):
        text.kept(make, (n,))
    assert len(text._kept) <= text._MOST_KEPT
    assert text.kept(make, one) == len(made)
