"""Long lists of texts in JSON, taken out of it a piece at a time.

Decides where such a list may be cut: what is read between two cuts is JSON by itself, or the cut was none.
Must not know requests, nor what the lists are put back into.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.rest import parse

_LOOKED_AT = 4096
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|\[[^"{}\]]{0,999}+(?=")', re.DOTALL)
"""A text as a whole, or the begin of a list whose first text comes soon."""
_CUT = re.compile(rb'"((?:\s*+\])*+)\s*+,(?!\s*+\])')
_DECODER = json.JSONDecoder()

Span = tuple[int, int]


def long_lists(text: bytes, long: int, piece: int) -> Generator[None, None, list[tuple[Span, list[Any]]]]:
    """The lists of more than `long` bytes in which texts are, with where they stand, in order.

    Yields after each `piece` bytes of one. None are found behind some thousand texts outside of such lists.
    """
    found: list[tuple[Span, list[Any]]] = []
    at = 0
    for _ in range(_LOOKED_AT):
        token = _TOKEN.search(text, at)
        if token is None or len(text) - token.start() <= long:
            break
        at = token.end()
        if text[token.start()] == ord("["):
            read = yield from _list(text, token.start(), token[0].count(b"["), piece)
            if read is None:
                break
            if read[1] - token.start() > long:
                found.append(((token.start(), read[1]), read[0]))
                at = read[1]
    return found


def _list(
    text: bytes, start: int, deepest: int, piece: int
) -> Generator[None, None, tuple[list[Any], int] | None]:
    """The list and where it ends; None if no cut in it is one."""
    whole: list[Any] = []
    at, depth, size = start, 0, piece
    while True:
        cut = _CUT.search(text, at + size)
        end = len(text) if cut is None else cut.end() - 1
        after = 0 if cut is None else deepest - cut[1].count(b"]")
        opened, part = b"[" * depth, text[at:end]
        value = parsed(opened + part + b"]" * after) if after > 0 else None
        yield
        if value is not None:
            _join(whole, value, depth)
            at, depth, size = end + 1, after, piece
            continue
        stop = closed(opened + part)
        if stop:
            value = parsed((opened + part)[:stop])
            if value is None:
                return None
            _join(whole, value, depth)
            return whole, at + stop - depth
        if cut is None:
            return None
        size *= 2


def parsed(part: bytes) -> list[Any] | None:
    """The list that these bytes are; None if they are no JSON."""
    try:
        value: list[Any] = parse(part)
    except ServeError:
        return None
    return value


def closed(part: bytes) -> int:
    """How many bytes the list is long that these begin with; 0 if it does not end in them."""
    try:
        text = part.decode()
        return len(text[: _DECODER.raw_decode(text)[1]].encode())
    except (ValueError, RecursionError):
        return 0


def _join(whole: list[Any], part: list[Any], depth: int) -> None:
    """Append what follows, of which the first list continues the last one down to a depth."""
    if depth > 1:
        _join(whole[-1], part[0], depth - 1)
        part = part[1:]
    whole += part
