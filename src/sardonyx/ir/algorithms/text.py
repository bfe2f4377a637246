"""What the primitives over strings mean; they always run on the host.

Registered as opaque primitives: text_join, text_split, text_normal, text_case, text_match, text_numbers,
to_text and from_text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import is_, is_not
from typing import Any, TypeVar

import numpy as np

from sardonyx.base.dtype import DType
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")


def join(a: Array, b: Array) -> Array:
    """The text of a followed by that of b."""
    return np.asarray(np.add(a, b), dtype=object)


def split(x: Array, *, delimiter: str, maxsplit: int) -> tuple[Array, Array]:
    """Substrings, padded with "" to the same number, and how many; no delimiter means white space."""
    texts = x.reshape(-1).tolist()
    if len(delimiter) == 1 and maxsplit < 0 and texts:
        found = delimiter.join(texts).split(delimiter)
        counts = np.fromiter(map(str.count, texts, repeat(delimiter)), np.int64, x.size) + 1
    else:
        # One list of all: many lists that live make the garbage collector run.
        found, lengths = [], []
        for text in texts:
            row = text.split(delimiter or None, maxsplit)
            lengths.append(len(row))
            found += row
        counts = np.array(lengths, np.int64)
    rows = in_rows(found, counts, "")
    return rows.reshape((*x.shape, rows.shape[1])), counts.reshape(x.shape)


def in_rows(parts: Sequence[str], counts: Array, fill: str) -> Array:
    """The parts of all texts, so many of each, in rows of one length [texts, parts]."""
    width = int(counts.max(initial=0))
    flat = np.fromiter(parts, object, len(parts))
    if len(parts) == counts.size * width:
        return flat.reshape((counts.size, width))
    inside = np.arange(width) < counts[:, None]
    rows = np.full(inside.shape, fill, object)
    rows[inside] = flat
    return rows


_CHANGES = {"LOWER": str.lower, "UPPER": str.upper}


def normal(x: Array, *, case: str, sensitive: bool, stopwords: Sequence[str]) -> tuple[Array]:
    """[C] or [1, C] without the stop words, in the case asked for; one empty text if nothing is left."""
    texts = x.reshape(-1).tolist()
    changed = _CHANGES.get(case)
    if stopwords:
        stop = set(stopwords if sensitive else map(str.lower, stopwords))
        compared = texts if sensitive else list(map(str.lower, texts))
        is_done = changed is str.lower and not sensitive
        texts = list(compress(compared if is_done else texts, [text not in stop for text in compared]))
        changed = None if is_done else changed
    if changed:
        texts = list(map(changed, texts))
    result = np.fromiter(texts or [""], object, len(texts) or 1)
    return (result.reshape((1, -1)) if x.ndim == 2 else result,)


def case(x: Array, *, to: str) -> Array:
    """The texts in lower or upper case."""
    changed = map(_CHANGES[to], x.reshape(-1).tolist())
    return np.fromiter(changed, object, x.size).reshape(x.shape)


def match(x: Array, *, pattern: str) -> Array:
    """Whether the whole text matches a regular expression."""
    found = map(re.compile(pattern).fullmatch, x.reshape(-1).tolist())
    return np.fromiter(map(is_not, found, repeat(None)), np.bool_, x.size).reshape(x.shape)


def to_text(x: Array) -> Array:
    """Numbers as text: 8 digits of floats, as onnxruntime writes them; NaN, INF, -INF by name."""
    if x.dtype.kind == "b":
        return np.array(["0", "1"], object).take(x, out=np.empty(x.shape, object), mode="clip")
    if x.dtype.kind in "iu":
        texts = list(map(str, x.reshape(-1).tolist()))
    else:
        doubles = x.reshape(-1).astype(np.float64)
        texts = ("%.8g\n" * x.size % tuple(doubles.tolist())).split("\n")[:-1]
        for at in np.flatnonzero(~np.isfinite(doubles)).tolist():
            texts[at] = "NaN" if texts[at] == "nan" else texts[at].replace("inf", "INF")
    return np.fromiter(texts, object, x.size).reshape(x.shape)


def from_text(x: Array, *, to: DType) -> Array:
    """The number that a text writes. Raises ValueError for other texts."""
    if to.is_float:
        found = np.fromiter(map(float, x.reshape(-1).tolist()), np.float64, x.size)
        return found.astype(to.numpy).reshape(x.shape)
    return np.array([int(v) for v in x.flat], to.numpy).reshape(x.shape)


def kept(make: Callable[..., Made], *attrs: Any) -> Made:
    """What is made of attributes, once: they are known by identity, as to compare them takes longer."""
    key = tuple(map(id, attrs))
    found = _kept.get(key)
    if found is None or not all(map(is_, found[0], attrs)):
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        found = _kept[key] = attrs, make(*attrs)
    made: Made = found[1]
    return made


_kept: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}
_MOST_KEPT = 256


def numbers(x: Array, *, keys: tuple[str, ...]) -> Array:
    """The position of each text among the keys; -1 for others."""
    table = kept(_numbered, keys)
    if x.size == 1:
        number = np.empty(x.shape, np.int64)
        number.fill(table.get(x.item(), -1))
        return number
    found = map(table.get, x.reshape(-1).tolist(), repeat(-1))
    return np.fromiter(found, np.int64, x.size).reshape(x.shape)


def _numbered(keys: tuple[str, ...]) -> dict[str, int]:
    return {key: number for number, key in enumerate(keys)}


register("text_numbers", "opaque", numbers)
register("text_join", "opaque", join)
register("text_split", "opaque", split)
register("text_normal", "opaque", normal)
register("text_case", "opaque", case)
register("text_match", "opaque", match)
register("to_text", "opaque", to_text)
register("from_text", "opaque", from_text)
