"""N-grams are counted as one would by hand: every run of tokens, with gaps up to the skips allowed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sardonyx.ir.algorithms.grams import grams

POOL = ("a", "b", "c", "a", "b", "b", "a", "c", "c", "a", "b", "c", "b", "b", "b")
COUNTS = (0, 3, 9)
INDEXES = (2, 0, 1, 3, 4, 5, 7, 6)
GRAMS = [("a",), ("b",), ("c",), ("a", "b"), ("b", "a"), ("c", "c"), ("a", "b", "c"), ("b", "b", "b")]


def by_hand(row: list[str], least: int, most: int, skips: int) -> list[int]:
    found = [0] * 8
    for length, step, start in itertools.product(
        range(least, most + 1), range(1, skips + 2), range(len(row))
    ):
        places = range(start, start + length * step, step)
        if (length > 1 or step == 1) and places[-1] < len(row):
            for gram, index in zip(GRAMS, INDEXES, strict=True):
                found[index] += gram == tuple(row[p] for p in places)
    return found


def run(x: Any, mode: str = "TF", weights: tuple[float, ...] = (), **attrs: Any) -> Any:
    lengths, skips = attrs.get("lengths", (1, 3)), attrs.get("skips", 0)
    return grams(
        x, pool=POOL, counts=COUNTS, indexes=INDEXES, weights=weights, mode=mode, lengths=lengths, skips=skips
    )


@given(
    st.lists(st.lists(st.sampled_from("abcx"), min_size=6, max_size=6), min_size=1, max_size=3),
    st.tuples(st.integers(1, 3), st.integers(1, 3)).map(sorted),
    st.integers(0, 2),
)
@settings(deadline=None)
def test_counts(rows: list[list[str]], lengths: list[int], skips: int) -> None:
    got = run(np.array(rows, object), lengths=tuple(lengths), skips=skips)
    assert got.dtype == np.float32
    assert got.tolist() == [by_hand(row, *lengths, skips) for row in rows]


def test_weights_belong_to_columns_of_ngrams() -> None:
    x, weights = np.array(["a", "a", "b"], object), (3.0, 5.0, 7.0, 11.0)
    tf = run(x)
    assert run(x, "TFIDF", weights)[2] == tf[2] * 3
    assert run(x, "IDF", weights)[2] == 3
    assert run(x, "IDF", weights)[3] == 11
    assert run(x, "IDF", weights)[1] == 0


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 2, 3)])
def test_shapes(shape: tuple[int, ...]) -> None:
    assert run(np.full(shape, "a", object)).shape == (*shape[:-1], 8)
