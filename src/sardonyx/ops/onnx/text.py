"""Operators over strings; most of them run on the host."""

from __future__ import annotations

import re

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.algorithms.grams import Pool
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.premise import broadcast_shape, must_equal
from sardonyx.ir.value import Value, const, make
from sardonyx.ops.onnx.grams import counts
from sardonyx.ops.table import op

_MOST_STEPS = 16
"""Steps between tokens that are written out; texts may lie any number apart."""
_MOST_COLUMNS = 1 << 24
"""Columns whose weights are written out; a model can name any column."""

Ints = tuple[int, ...]


@op("StringConcat", since=20)
def string_concat(a: Value, b: Value) -> Value:
    """The text of a followed by that of b, broadcast."""
    rank = max(a.rank, b.rank)
    p, q = (x.reshape((1,) * (rank - x.rank) + x.shape) for x in (a, b))
    shape = broadcast_shape(p.shape, q.shape, a.shape)
    return make("text_join", (p, q), {}, dt.STRING, shape)


@op("StringSplit", since=20)
def string_split(x: Value, *, delimiter: str = "", maxsplit: int = -1) -> tuple[Value, ...]:
    """Substrings along a new last axis, padded with "", and how many each text has."""
    attrs = {"delimiter": delimiter, "maxsplit": maxsplit}
    return data_sized("text_split", [x], attrs, [(dt.STRING, (*x.shape, None)), (dt.I64, x.shape)])


@op("StringNormalizer", since=10)
def string_normalizer(
    x: Value,
    *,
    case_change_action: str = "NONE",
    is_case_sensitive: int = 0,
    locale: str = "",
    stopwords: tuple[str, ...] = (),
) -> Value:
    """[C] or [1, C] without the stop words, in lower or upper case."""
    if case_change_action not in ("NONE", "LOWER", "UPPER"):
        raise UnsupportedOp(f'case_change_action="{case_change_action}"')
    if x.rank not in (1, 2):
        raise ShapeError(f"texts of shape {list(x.shape)}: [C] or [1, C] is needed")
    if x.rank == 2:
        must_equal(x.shape[0], 1, "texts are [C] or [1, C]")
    if not stopwords and (dims.lower_bound(x.shape[-1]) or 0) >= 1:
        if case_change_action == "NONE":
            return x
        return make("text_case", (x,), {"to": case_change_action}, dt.STRING, x.shape)
    attrs = {"case": case_change_action, "sensitive": bool(is_case_sensitive), "stopwords": stopwords}
    (y,) = data_sized("text_normal", [x], attrs, [(dt.STRING, (*(1,) * (x.rank - 1), None))])
    return y


@op("RegexFullMatch", since=20)
def regex_full_match(x: Value, *, pattern: str | None = None) -> Value:
    """Whether the whole text matches a regular expression."""
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise UnsupportedOp(f"the pattern {pattern!r}: {error}") from error
    return make("text_match", (x,), {"pattern": pattern or ""}, dt.BOOL, x.shape)


@op("TfIdfVectorizer", since=9)
def tf_idf_vectorizer(
    x: Value,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: Ints,
    ngram_indexes: Ints,
    pool_int64s: Ints = (),
    pool_strings: tuple[str, ...] = (),
    weights: tuple[float, ...] = (),
) -> Value:
    """How often each n-gram of a pool occurs in a row, weighted as `mode` (TF, IDF, TFIDF) says."""
    if mode not in ("TF", "IDF", "TFIDF"):
        raise UnsupportedOp(f'mode="{mode}"')
    pool, lengths = pool_strings or pool_int64s, (min_gram_length, max_gram_length)
    size = max(ngram_indexes) + 1
    width = x.shape[-1] if x.rank else 1
    longest = max(width - 1, 1) if isinstance(width, int) else max_skip_count + 1
    distances = min(max_skip_count + 1, longest)
    steps = distances * min(max_gram_length, len(ngram_counts))
    if x.rank and steps <= _MOST_STEPS and size <= _MOST_COLUMNS:
        tree = Pool.of(pool, ngram_counts, ngram_indexes)
        rows = x.reshape((dims.product(x.shape[:-1]), width))
        count = counts(rows, tree, size, lengths, distances).reshape((*x.shape[:-1], size))
        if mode == "TF":
            return count.cast(dt.F32)
        scale = np.ones(size, np.float32)
        scale[list(ngram_indexes[: len(weights)])] = weights
        return (count.cast(dt.BOOL) if mode == "IDF" else count).cast(dt.F32) * const(scale)
    attrs = {
        "pool": pool,
        "counts": ngram_counts,
        "indexes": ngram_indexes,
        "weights": weights,
        "mode": mode,
        "lengths": lengths,
        "skips": max_skip_count,
    }
    return make("text_grams", (x,), attrs, dt.F32, (*x.shape[:-1], size))
