"""Tokens of readers of texts: what has no ONNX form is named, patterns match what they matched."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sardonyx.convert import ConvertError
from sardonyx.convert.frameworks.tabular import sklearn_tokens


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"analyzer": str.split}, r"calls a function of yours \(analyzer=split\)"),
        ({"tokenizer": str.split, "token_pattern": None}, r"\(tokenizer=split\)"),
        ({"preprocessor": str.upper}, r"\(preprocessor=upper\)"),
        ({"strip_accents": "unicode"}, "strips accents"),
        ({"token_pattern": r"(\w)\w+"}, "only a group"),
        ({"input": "filename"}, "reads files"),
    ],
)
def test_what_cannot_be_read_is_told(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConvertError, match=said):
        sklearn_tokens.refuse(CountVectorizer(**facts), 21)


def test_opsets_without_texts_are_refused() -> None:
    sklearn_tokens.refuse(CountVectorizer(), 20)
    with pytest.raises(ConvertError, match="needs opset 20; 17 was asked for"):
        sklearn_tokens.refuse(CountVectorizer(), 17)


def test_patterns_and_lengths() -> None:
    assert sklearn_tokens.pattern_of(CountVectorizer()) == r"\w\w+"
    assert sklearn_tokens.pattern_of(CountVectorizer(token_pattern=r"(?u)\b\w+\b")) == r"\b\w+\b"
    assert sklearn_tokens.lengths(CountVectorizer(ngram_range=(4, 5))) == (4, 5)
    assert sklearn_tokens.lengths(CountVectorizer(analyzer="char_wb", ngram_range=(4, 5))) == (3, 5)
