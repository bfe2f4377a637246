"""What the primitives over strings mean; they always run on the host.

Registered as opaque primitives: text_join, text_split, text_normal, text_match, text_grams, to_text and
from_text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sardonyx.base.dtype import DType
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def _each(fn: Callable[..., Any], *arrays: Array) -> Array:
    return np.asarray(np.frompyfunc(fn, len(arrays), 1)(*arrays), dtype=object)


def join(a: Array, b: Array) -> Array:
    """The text of a followed by that of b."""
    return _each(lambda p, q: p + q, a, b)


def split(x: Array, *, delimiter: str, maxsplit: int) -> tuple[Array, Array]:
    """Substrings, padded with "" to the same number, and how many; no delimiter means white space."""
    rows = [text.split(delimiter or None, maxsplit) for text in x.flat]
    width = max(map(len, rows), default=0)
    parts = np.full((len(rows), width), "", dtype=object)
    for row, texts in zip(parts, rows, strict=True):
        row[: len(texts)] = texts
    counts = np.array([len(texts) for texts in rows], dtype=np.int64)
    return parts.reshape((*x.shape, width)), counts.reshape(x.shape)


_CASES: dict[str, Callable[[str], str]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}


def normal(x: Array, *, case: str, sensitive: bool, stopwords: Sequence[str]) -> tuple[Array]:
    """[C] or [1, C] without the stop words, in the case asked for; one empty text if nothing is left."""
    key: Callable[[str], str] = str if sensitive else str.lower
    stop = {key(word) for word in stopwords}
    kept = [_CASES[case](text) for text in x.flat if key(text) not in stop]
    result = np.array(kept or [""], dtype=object)
    return (result.reshape((1, -1)) if x.ndim == 2 else result,)


def match(x: Array, *, pattern: str) -> Array:
    """Whether the whole text matches a regular expression."""
    expression = re.compile(pattern)
    return _each(lambda text: expression.fullmatch(text) is not None, x).astype(np.bool_)


@lru_cache(maxsize=64)
def _places(
    pool: tuple[Any, ...], counts: tuple[int, ...], indexes: tuple[int, ...]
) -> dict[tuple[Any, ...], int]:
    places: dict[tuple[Any, ...], int] = {}
    number = 0
    for length, (start, end) in enumerate(zip(counts, (*counts[1:], len(pool)), strict=True), 1):
        for at in range(start, end - length + 1, length):
            places.setdefault(pool[at : at + length], indexes[number])
            number += 1
    return places


def grams(
    x: Array,
    *,
    pool: tuple[Any, ...],
    counts: tuple[int, ...],
    indexes: tuple[int, ...],
    weights: tuple[float, ...],
    mode: str,
    lengths: tuple[int, int],
    skips: int,
) -> Array:
    """How often each n-gram of the pool occurs in the rows of x, its parts up to `skips` elements apart."""
    places = _places(pool, counts, indexes)
    size = max(indexes) + 1
    rows = x.reshape((-1, x.shape[-1] if x.ndim else 1))
    found = np.zeros((rows.shape[0], size), np.float32)
    for row, items in zip(found, rows.tolist(), strict=True):
        for place, count in _occurrences(items, places, lengths, skips).items():
            row[place] = count
    scale = np.ones(size, np.float32)
    scale[list(indexes[: len(weights)])] = weights
    if mode == "IDF":
        found = (found > 0) * scale
    elif mode == "TFIDF":
        found = found * scale
    return found.reshape((*x.shape[:-1], size)).astype(np.float32)


def _occurrences(
    items: list[Any], places: dict[tuple[Any, ...], int], lengths: tuple[int, int], skips: int
) -> Counter[int]:
    total: Counter[int] = Counter()
    for length in range(lengths[0], lengths[1] + 1):
        for step in range(1, (skips if length > 1 else 0) + 2):
            for at in range(len(items) - (length - 1) * step):
                place = places.get(tuple(items[at : at + (length - 1) * step + 1 : step]))
                if place is not None:
                    total[place] += 1
    return total


def to_text(x: Array) -> Array:
    """Numbers as text: 8 digits of floats, as onnxruntime writes them; NaN, INF, -INF by name."""
    if x.dtype.kind in "iub":
        return _each(lambda v: str(int(v)), x)

    def one(v: float) -> str:
        return "NaN" if v != v else f"{v:.8g}".replace("inf", "INF")

    # Python's own comparison of NaN may raise the processor's flag, which numpy would report.
    with np.errstate(invalid="ignore"):
        return _each(one, x.astype(np.float64))


def from_text(x: Array, *, to: DType) -> Array:
    """The number that a text writes. Raises ValueError for other texts."""
    if to.is_float:
        return np.array([float(v) for v in x.flat], np.float64).astype(to.numpy).reshape(x.shape)
    return np.array([int(v) for v in x.flat], to.numpy).reshape(x.shape)


class _Numbers(dict[str, int]):
    """The numbers of known texts; that of any other is -1."""

    def __missing__(self, key: str) -> int:
        return -1


def numbers(x: Array, *, keys: tuple[str, ...]) -> Array:
    """The position of each text among the keys; -1 for others."""
    known, table = _tables.get(id(keys), _NO_TABLE)
    if known is not keys:
        if len(_tables) >= _MOST_TABLES:
            _tables.clear()
        table = _Numbers((key, number) for number, key in enumerate(keys))
        _tables[id(keys)] = keys, table
    found = map(table.__getitem__, x.reshape(-1).tolist())
    return np.fromiter(found, np.int64, x.size).reshape(x.shape)


_tables: dict[int, tuple[tuple[str, ...], _Numbers]] = {}
_NO_TABLE: tuple[tuple[str, ...], _Numbers] = ((), _Numbers())
_MOST_TABLES = 256


register("text_numbers", "opaque", numbers)
register("text_join", "opaque", join)
register("text_split", "opaque", split)
register("text_normal", "opaque", normal)
register("text_match", "opaque", match)
register("text_grams", "opaque", grams)
register("to_text", "opaque", to_text)
register("from_text", "opaque", from_text)
