"""scikit-learn's readers of texts convert: words, characters, hashes, whatever white space the texts hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline

from sardonyx.convert import ConvertError, from_sklearn
from sardonyx.convert.frameworks.tabular import sklearn_texts

TEXTS = [
    "The cat sat on the mat.",
    "A dog; a  cat\n\nand a\tmouse!",
    "Über-große Häuser, naïve café",
    *("", "   ", "\n", "a b c d e", "x"),
    "mat mat cat the the",
    "I   like\r\n\r\nred wine",
    "1 2 22 333 wine-red",
]
GOAL = np.arange(len(TEXTS)) % 2
READERS: dict[str, dict[str, Any]] = {
    "words": {},
    "case": {"lowercase": False},
    "two words": {"ngram_range": (1, 2)},
    "few of three words": {"ngram_range": (1, 3), "max_features": 7},
    "around stop words": {"ngram_range": (1, 2), "stop_words": ["the", "on", "cat"]},
    "whether": {"binary": True, "ngram_range": (2, 2)},
    "all but white": {"token_pattern": r"\S+"},
    "either": {"token_pattern": r"(?u)\d+|\b[a-z]\w+"},
    "characters": {"analyzer": "char"},
    "several characters": {"analyzer": "char", "ngram_range": (1, 3)},
    "of words": {"analyzer": "char_wb", "ngram_range": (2, 4)},
    "of longer words": {"analyzer": "char_wb", "ngram_range": (5, 6)},
}
HASHED = {name: {k: v for k, v in facts.items() if k != "max_features"} for name, facts in READERS.items()}
CASES = {
    **{f"counts of {name}": CountVectorizer(**facts) for name, facts in READERS.items()},
    **{f"weights of {name}": TfidfVectorizer(sublinear_tf=True, **facts) for name, facts in READERS.items()},
    **{f"hashes of {name}": HashingVectorizer(n_features=64, **facts) for name, facts in HASHED.items()},
    "hashes without signs": HashingVectorizer(n_features=50, alternate_sign=False, norm="l1"),
    "crowded hashes": HashingVectorizer(n_features=3, norm=None, ngram_range=(1, 2)),
    "unknown words": CountVectorizer(
        vocabulary=["a", "cat", "red wine", "like red wine"], ngram_range=(1, 2)
    ),
}


def texts_of(rows: list[str]) -> Any:
    return np.array(rows, object)[:, None]


@pytest.mark.parametrize("name", CASES)
def test_readers_convert(name: str) -> None:
    model = CASES[name].fit(TEXTS)
    converted = from_sklearn(model, sample=texts_of(TEXTS))
    session = converted.session()
    for rows in (["", ""], [" \n "], [""] * 3 + ["cat  mat"]):
        (said,) = session.run(None, {"text": texts_of(rows)})
        np.testing.assert_allclose(said, model.transform(rows).toarray(), rtol=1e-5, atol=1e-6)
    (none,) = session.run(None, {"text": np.empty((0, 1), object)})
    assert none.shape == (0, said.shape[1])


@pytest.mark.parametrize("name", ["counts of several characters", "weights of around stop words"])
def test_texts_that_are_drawn_tell_readers_apart(name: str) -> None:
    drawn = from_sklearn(CASES[name].fit(TEXTS)).parity
    assert drawn.holds and drawn.drawn
    other = CountVectorizer(analyzer=lambda text: text.lower().split()).fit(TEXTS)
    with pytest.raises(ConvertError, match="calls a function of yours"):
        from_sklearn(other)


def test_pipelines_of_readers() -> None:
    both = FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer(analyzer="char_wb"))])
    hashes = (
        HashingVectorizer(n_features=32, alternate_sign=False, norm=None),
        TfidfTransformer(sublinear_tf=True),
    )
    for model in (make_pipeline(both, LogisticRegression()), make_pipeline(*hashes, LogisticRegression())):
        model.fit(TEXTS, GOAL)
        assert from_sklearn(model, sample=texts_of(TEXTS)).parity.holds and from_sklearn(model).parity.holds


def test_columns_of_texts() -> None:
    table = pandas.DataFrame({"said": TEXTS, "also": TEXTS[::-1], "n": GOAL * 1.5})
    both = FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer(analyzer="char"))])
    parts = [("t", both, "said"), ("u", HashingVectorizer(n_features=9), "also"), ("n", "passthrough", ["n"])]
    model = make_pipeline(ColumnTransformer(parts), Ridge()).fit(table, GOAL)
    for sample in (table, None):
        converted = from_sklearn(model, sample=sample)
        assert converted.parity.holds
        assert [row.name for row in converted.session().get_inputs()] == ["said", "also", "n"]


def test_vocabularies_that_are_not_clear_are_refused() -> None:
    model = CountVectorizer(token_pattern=r"\w+ \w+|\w+", ngram_range=(1, 2)).fit(TEXTS)
    with sklearn_texts.registered(), pytest.raises(ConvertError, match="may hold blanks"):
        from_sklearn(model)
