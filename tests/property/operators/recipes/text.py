"""Calls of operators over strings."""

from __future__ import annotations

import re

import numpy as np

from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula, peer
from tests.property.operators.recipe import Call, recipe


@recipe("StringConcat")
def string_concat(d: Draw) -> Call:
    a, b = d.broadcasting(2)
    judge = formula(lambda a, b: np.asarray(np.add(a, b), object), exact=True)
    return Call([d.array(a), d.array(b)], judge=judge)


@recipe("StringSplit")
def string_split(d: Draw) -> Call:
    delimiter, most = d.maybe(d.one_of("", " ", ",", "a", "b,")), d.maybe(d.integer(1, 3))

    def run(x: Array) -> tuple[Array, Array]:
        rows = [text.split(delimiter or None, -1 if most is None else most) for text in x.flat]
        width = max(map(len, rows), default=0)
        parts = np.array([[*row, *[""] * (width - len(row))] for row in rows], object)
        counts = np.array([len(row) for row in rows], np.int64)
        return parts.reshape((*x.shape, width)), counts.reshape(x.shape)

    judge = formula(run, exact=True)
    return Call([d.array(d.shape(most=3))], 2, judge, delimiter=delimiter, maxsplit=most)


@recipe("StringNormalizer")
def string_normalizer(d: Draw) -> Call:
    x = d.array((1, d.integer(1, 6)) if d.flag() else (d.integer(1, 6),))
    action = d.maybe(d.one_of("NONE", "LOWER", "UPPER"))
    sensitive, stop = d.maybe(int(d.flag())), d.maybe(d.one_of(["a"], ["ABC", "the"], ["abc", ""]))
    cases = {"LOWER": str.lower, "UPPER": str.upper}

    def run(x: Array) -> Array:
        fold = str if sensitive else str.lower
        stopped = {fold(word) for word in stop or ()}
        kept = [cases.get(action or "", str)(t) for t in x.flat if fold(t) not in stopped]
        return np.array(kept or [""], object).reshape((1, -1) if x.ndim == 2 else -1)

    return Call(
        [x],
        judge=formula(run, exact=True),
        case_change_action=action,
        is_case_sensitive=sensitive,
        stopwords=stop,
    )


@recipe("RegexFullMatch")
def regex_full_match(d: Draw) -> Call:
    pattern = d.one_of("a", "[ab]*", r"\d+\.\d+", ".*", "(A|a)b(c|C)?", r"[^\s]+", "")
    judge = formula(
        lambda x: (
            np.array([re.fullmatch(pattern, t) is not None for t in x.flat]).reshape(x.shape).astype(bool)
        ),
        exact=True,
    )
    return Call([d.array(d.shape())], judge=judge, pattern=pattern)


@recipe("TfIdfVectorizer")
def tf_idf_vectorizer(d: Draw) -> Call:
    """Pools of single elements and of pairs."""
    text = d.element.kind == "O"
    rows = () if d.flag() else (d.integer(1, 3),)
    words = np.array(["a", "b", "c", "d"], object)
    numbers = d.within((*rows, d.integer(1, 7)), 0, 3, np.int64)
    x = words[numbers] if text else numbers.astype(d.element)
    ones, twos = d.integer(1, 3), d.integer(0, 3)
    pairs = [divmod(int(n), 4) for n in d.random().permutation(16)[:twos]]
    pool = [*range(ones), *(n for pair in pairs for n in pair)]
    total = ones + twos
    most = 2 if twos else 1
    given = {"pool_strings": [words[n] for n in pool]} if text else {"pool_int64s": pool}
    return Call(
        [x],
        judge=peer,
        mode=d.one_of("TF", "IDF", "TFIDF"),
        min_gram_length=d.integer(1, most),
        max_gram_length=most,
        max_skip_count=d.integer(0, 3),
        ngram_counts=[0, ones][:most],
        ngram_indexes=d.order(total),
        weights=d.maybe([float(n) / 2 for n in range(1, total + 1)]),
        **given,
    )
