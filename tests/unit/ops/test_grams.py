"""Occurrences of n-grams against their definition, and tokens by plain and by longest matches."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.grams import grams
from sardonyx.ir.algorithms.tokens import tokens

Array = np.ndarray[Any, Any]
LETTERS = np.array(list("abcd"), object)


def occurrences(row: list[Any], known: dict[Any, int], lengths: tuple[int, int], skips: int) -> Counter[int]:
    """Columns of the n-grams of a row, part by part."""
    found: Counter[int] = Counter()
    for length in range(lengths[0], lengths[1] + 1):
        for step in range(1, (min(skips, len(row)) if length > 1 else 0) + 2):
            for at in range(len(row) - (length - 1) * step):
                gram = tuple(row[at : at + (length - 1) * step + 1 : step])
                if gram in known:
                    found[known[gram]] += 1
    return found


@pytest.mark.parametrize("shape", [(5, 9), (1, 2), (2, 1), (3, 0), (0, 4), (7,), (2, 3, 6)])
@pytest.mark.parametrize("lengths", [(1, 1), (1, 3), (2, 3), (3, 3)])
@pytest.mark.parametrize("skips", [0, 3, 1 << 40])
@pytest.mark.parametrize("letters", [True, False])
def test_counts(shape: tuple[int, ...], lengths: tuple[int, int], skips: int, letters: bool) -> None:
    rng = np.random.default_rng(len(shape) + skips % 8)
    numbers = rng.integers(0, 4, shape)
    x = LETTERS[numbers] if letters else numbers
    items = (LETTERS[:3] if letters else np.arange(3)).tolist()
    singles = [(item,) for item in items]
    pairs = [(items[0], items[1]), (items[1], items[1]), (items[2], items[0])]
    triples = [(items[0], items[1], items[0]), (items[2], items[2], items[2]), (items[0], items[1], items[2])]
    all_grams = [*singles, *pairs, *triples]
    columns = tuple(int(c) for c in rng.permutation(len(all_grams)))
    pool = tuple(token for gram in all_grams for token in gram)
    starts = (0, len(singles), len(singles) + 2 * len(pairs))
    got = grams(
        x, pool=pool, counts=starts, indexes=columns, weights=(), mode="TF", lengths=lengths, skips=skips
    )
    known = dict(zip(all_grams, columns, strict=True))
    rows = x.reshape((int(np.prod(shape[:-1])), shape[-1])).tolist()
    expected = np.zeros((len(rows), len(all_grams)), np.float32)
    for line, row in zip(expected, rows, strict=True):
        for column, count in occurrences(row, known, lengths, skips).items():
            line[column] = count
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected.reshape((*shape[:-1], len(all_grams))))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[a-z]+", [["it", "s", "an", "example"], ["", "", "", ""]]),
        ("([a-z])[a-z]*", [["it", "s", "an", "example"], ["", "", "", ""]]),
        ("a|an|ex", [["an", "ex", "a"], ["", "", ""]]),
        ("[a-z]*", [["it", "s", "an", "example"], ["", "", "", ""]]),
    ],
)
def test_tokens(pattern: str, expected: list[list[str]]) -> None:
    texts = np.array(["it's an example", "1 2"], object)
    (got,) = tokens(texts, separators=(), pattern=pattern, least=1, mark=False, fill="")
    assert got.tolist() == expected
