"""Tokens lie between separators or are the longest matches of an expression; hashes are Murmur's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms import tokens as algorithm
from sardonyx.ir.algorithms.tokens import END, START, text_hash, tokens


def cut(*texts: str, **attrs: Any) -> Any:
    given: dict[str, Any] = {"separators": (), "pattern": "", "least": 0, "mark": False, "fill": "#"}
    return tokens(np.array(texts, object), **{**given, **attrs})[0].tolist()


def test_characters() -> None:
    assert cut("añb", "", separators=("",)) == [["a", "ñ", "b"], ["#"] * 3]
    assert cut("ab", pattern=".", mark=True) == [[START, "a", "b", END]]


def test_separators_come_one_after_the_other() -> None:
    assert cut("a b-c", separators=(" ", "-")) == [["a", "b", "c"]]
    assert cut("a  b", separators=(" ",)) == [["a", "", "b"]]
    assert cut("a  bb", separators=(" ",), least=2) == [["bb"]]
    assert cut("a12b3c", separators=(r"\d+",)) == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("[a-z]+", ["abc", "de"]), ("a|ab|abc", ["abc"]), ("b?c", ["bc"]), ("(a)(b)", ["ab"])],
)
def test_the_longest_match_counts(pattern: str, expected: list[str]) -> None:
    assert cut("abc-de", pattern=pattern) == [expected]


def test_plain_expressions_are_left_to_python() -> None:
    plain = [
        text for text in ("a+", "[a-z]{2}", "a*", "a|ab", "ab?") if algorithm._is_plain(re.compile(text))
    ]
    assert plain == ["a+", "[a-z]{2}"]


def test_rows_are_filled_up_behind_their_marks() -> None:
    assert cut("a bb", "", "c", pattern="[a-z]+", mark=True) == [
        [START, "a", "bb", END],
        [START, END, "#", "#"],
        [START, "c", END, "#"],
    ]
    assert cut("a bb", "ccc", pattern="[a-z]+", least=2) == [["bb"], ["ccc"]]
    assert cut("ab-abc", pattern="a|ab|abc", least=3) == [["abc"]]


def test_nothing_has_no_marks() -> None:
    assert cut("", pattern="[a-z]+", mark=True) == [[]]
    assert tokens(np.empty((0,), object), separators=("",), pattern="", least=0, mark=False, fill="")[
        0
    ].shape == (0, 0)


@pytest.mark.parametrize(
    ("text", "seed", "expected"),
    [
        ("", 0, 0),
        ("", 1, 0x514E28B7),
        ("test", 0, 0xBA6BD213),
        ("test", 0x9747B28C, 0x704B81DC),
        ("Hello, world!", 0, 0xC0363E43),
        ("The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
    ],
)
def test_hashes_are_those_that_are_published(text: str, seed: int, expected: int) -> None:
    assert text_hash(np.array([[text]], object), seed=seed).tolist() == [[expected]]
