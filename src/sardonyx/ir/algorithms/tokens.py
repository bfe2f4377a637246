"""Tokens and hashes of texts, on the host: text_tokens, text_hash."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from sardonyx.ir.algorithms.text import in_rows, kept
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]
START, END = "\x02", "\x03"


def tokens(
    x: Array, *, separators: tuple[str, ...], pattern: str, least: int, mark: bool, fill: str
) -> tuple[Array]:
    """The tokens of each text along a new last axis, filled up to the longest row, marked if asked for.

    Tokens are the single characters, what lies between separators (regular expressions, one after the other),
    or the longest matches of an expression; those of fewer than `least` characters are left out.
    """
    cut = kept(_cutter, separators, pattern, least)
    # One list of all: many lists that live make the garbage collector run.
    found: list[str] = []
    lengths = []
    for text in x.reshape(-1).tolist():
        row = cut(text)
        lengths.append(len(row))
        found += row
    counts = np.array(lengths, np.int64)
    if mark and found:
        ends = [0, *counts.cumsum().tolist()]
        found = [t for low, high in pairwise(ends) for t in (START, *found[low:high], END)]
        counts += 2
    rows = in_rows(found, counts, fill)
    return (rows.reshape((*x.shape, rows.shape[1])),)


def _cutter(separators: tuple[str, ...], pattern: str, least: int) -> Callable[[str], list[str]]:
    """What gives the tokens of a text."""
    if separators == ("",) or pattern == ".":
        return list
    if separators:
        return lambda text: _between(text, separators, least)
    return _matcher(pattern, max(least, 1))


def _between(text: str, separators: tuple[str, ...], least: int) -> list[str]:
    parts = [text]
    for separator in separators:
        parts = [t for part in parts for t in _split(part, separator) if len(t) >= least]
    return parts


def _split(text: str, separator: str) -> Iterator[str]:
    start = 0
    for low, high in _spans(text, separator):
        yield text[start:low]
        start = max(high, low + 1)
    yield text[start:]


def _matcher(pattern: str, least: int) -> Callable[[str], list[str]]:
    """What gives the matches of an expression in a text, leftmost first and as long as possible."""
    expression = re.compile(pattern)
    if _is_plain(expression) and not expression.groups:
        matches = expression.findall
        return matches if least == 1 else lambda text: [t for t in matches(text) if len(t) >= least]
    return lambda text: [text[low:high] for low, high in _spans(text, pattern) if high - low >= least]


def _spans(text: str, pattern: str) -> Iterator[tuple[int, int]]:
    """Where an expression matches."""
    expression = re.compile(pattern)
    if _is_plain(expression):
        return (found.span() for found in expression.finditer(text))
    return _longest_spans(text, expression)


def _is_plain(expression: re.Pattern[str]) -> bool:
    """Whether Python's matches are the longest ones, and none is empty."""
    return not _may_stop_early(expression.pattern) and not expression.match("")


def _choices(pattern: str) -> list[re.Pattern[str]]:
    """The alternatives that an expression is of, if the longest match is that of one of them; else none."""
    try:
        found = [re.compile(choice) for choice in pattern.split("|")]
    except re.error:
        return []
    return found if all(map(_is_plain, found)) else []


def _may_stop_early(pattern: str) -> bool:
    """Whether a match may be shorter than the longest: Python takes the first alternative that fits."""
    return "|" in pattern or "?" in pattern


def _longest_spans(text: str, expression: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    at, choices = 0, _choices(expression.pattern)
    while at <= len(text) and (first := expression.search(text, at)):
        low, high = first.span()
        if choices:
            yield low, (at := max(found.end() for choice in choices if (found := choice.match(text, low))))
            continue
        longer = (end for end in range(len(text), high, -1) if expression.fullmatch(text, low, end))
        high = next(longer, high) if _may_stop_early(expression.pattern) else high
        yield low, high
        at = max(high, low + 1)


def text_hash(x: Array, *, seed: int) -> Array:
    """MurmurHash3_x86_32 of each text as UTF-8, uint32."""
    return np.array([_murmur(text.encode(), seed) for text in x.flat], np.uint32).reshape(x.shape)


def _murmur(data: bytes, seed: int) -> int:
    mask, h, whole = 0xFFFFFFFF, seed, len(data) // 4 * 4
    for at in range(0, whole, 4):
        h ^= _scrambled(int.from_bytes(data[at : at + 4], "little"))
        h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & mask
    if tail := data[whole:]:
        h ^= _scrambled(int.from_bytes(tail, "little"))
    h ^= len(data)
    h = ((h ^ h >> 16) * 0x85EBCA6B) & mask
    h = ((h ^ h >> 13) * 0xC2B2AE35) & mask
    return h ^ h >> 16


def _scrambled(block: int) -> int:
    k = (block * 0xCC9E2D51) & 0xFFFFFFFF
    return ((k << 15 | k >> 17) * 0x1B873593) & 0xFFFFFFFF


register("text_tokens", "opaque", tokens)
register("text_hash", "opaque", text_hash)
