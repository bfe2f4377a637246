"""Long JSON texts, read a piece at a time, so that who reads one can let others have their turn.

Decides which lists are long and when their numbers are an array. Must not know requests or event loops.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

import numpy as np

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import ServeError, invalid
from sardonyx.protocol.rest import parse
from sardonyx.protocol.texts import Span, long_lists

LONG = 1 << 17
"""Bytes of JSON that take some milliseconds to read."""
PIECE = 1 << 15
_MOST_STRINGS, _DEEPEST = 4096, 64
_MARK = "\N{REPLACEMENT CHARACTER}long list %d"
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[],"))


def parse_gradually(text: bytes, long: int = LONG, piece: int = PIECE) -> Generator[None, None, Any]:
    """Returns the JSON document, with arrays in place of lists of more than `long` bytes of numbers or bools.

    Yields after each `piece` bytes of such a list or of one with texts; what else there is, is read at once.
    The arrays are of int64, uint64, float64 or bool. INVALID_ARGUMENT says where the text is malformed or a
    list no array.
    """
    lists: dict[Span, list[Any]] = dict((yield from long_lists(text, long, piece)))
    borders = [0, *(at for span in lists for at in span), len(text)]
    between = zip(borders[::2], borders[1::2], strict=True)
    spans = sorted([*lists, *(span for part in between for span in _long_lists(text, long, *part))])
    marks = [_MARK % number for number in range(len(spans))]
    if not spans or marks[0].encode() in text:
        return parse(text)
    starts, stops = [start for start, _ in spans], [stop for _, stop in spans]
    others = [text[stop:start] for stop, start in zip([0, *stops], [*starts, len(text)], strict=True)]
    quoted = [f'"{mark}"'.encode() for mark in marks]
    try:
        document = parse(b"".join(chain.from_iterable(zip(others, [*quoted, b""], strict=True))))
    except ServeError:
        return parse(text)
    whole = {"": document}
    places = list(_places(whole, set(marks)))
    if [mark for _, _, mark in places] != marks:
        return parse(text)
    for (holder, key, _), span in zip(places, spans, strict=True):
        holder[key] = lists[span] if span in lists else (yield from _array(text, *span, piece))
    return whole[""]


def _long_lists(text: bytes, long: int, at: int, stop_at: int) -> Iterator[Span]:
    """Where long lists without strings and objects may stand; none if there are too many strings to look."""
    found = []
    for _ in range(_MOST_STRINGS):
        quote = text.find(b'"', at, stop_at)
        end = stop_at if quote < 0 else quote
        if end - at > long:
            start = text.find(b"[", at, end)
            stop = _end_of_list(text, start, end) if start >= 0 else 0
            if stop - start > long:
                found.append((start, stop))
        if quote < 0:
            yield from found
            return
        at = quote + 1


def _end_of_list(text: bytes, start: int, end: int) -> int:
    for brace in (b"{", b"}"):
        at = text.find(brace, start, end)
        end = end if at < 0 else at
    return text.rfind(b"]", start, end) + 1


def _places(document: Any, marks: set[str]) -> Iterator[tuple[Any, Any, str]]:
    """Where a mark is a value of an object, in the order of the text."""
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str):
                if value in marks:
                    yield document, key, value
            else:
                yield from _places(value, marks)
    elif isinstance(document, list) and document and isinstance(document[0], dict):
        for value in document:
            yield from _places(value, marks)


def _array(text: bytes, start: int, stop: int, piece: int) -> Generator[None, None, Array]:
    parts: list[Array] = []
    forms: list[bytes] = []
    at, depth, deepest = start, 0, 0
    while at < stop:
        cut = text.find(b",", at + piece, stop)
        end = stop if cut < 0 else cut
        part = text[at:end]
        form = part.translate(None, _NO_STRUCTURE)
        after = depth + form.count(b"[") - form.count(b"]")
        deepest = deepest or len(form) - len(form.lstrip(b"["))
        if not (after == 0 if cut < 0 else 0 < after <= deepest) or deepest > _DEEPEST:
            raise _malformed(at, end, "brackets do not match")
        parts.append(_numbers(b"[" * depth + part + b"]" * after, deepest, at))
        forms.append(form)
        at, depth = end + 1, after
        yield
    shape = _shape(b",".join(forms), deepest)
    whole = joined(parts)
    if shape is not None and whole.size == 0:
        shape = (*shape[:-1], 0)
    if shape is None or whole.size != math.prod(shape):
        raise invalid(f"the list at byte {start} of the request is not an array: its parts differ in length")
    return whole.reshape(shape)


def _malformed(start: int, stop: int, why: str) -> ServeError:
    return invalid(f"failed to parse the request JSON between bytes {start} and {stop}: {why}")


def _numbers(part: bytes, depth: int, at: int) -> Array:
    """The elements of lists that are nested so deep."""
    try:
        flat = parse(part)
    except ServeError as error:
        raise _malformed(at, at + len(part), error.message) from None
    try:
        for _ in range(depth - 1):
            flat = list(chain.from_iterable(flat))
        if b"true" not in part and b"false" not in part:
            return as_numbers(flat)
        if all(type(item) is bool for item in flat):
            return np.array(flat, bool)
    except TypeError:
        pass
    null = "; it holds null" if b"null" in part else ""
    raise invalid(
        f"the list between bytes {at} and {at + len(part)} of the request must hold numbers, or true and "
        f"false, and its parts be of one length{null}"
    )


def as_numbers(flat: list[Any]) -> Array:
    """Numbers as whole ones if all are; TypeError if they are none, OverflowError beyond 64 bits."""
    try:
        return np.frombuffer(array("q", flat), np.int64)
    except OverflowError:
        if min(flat) >= 0:
            return np.frombuffer(array("Q", flat), np.uint64)
    except TypeError:
        pass
    return np.frombuffer(array("d", flat), np.float64)


def joined(parts: list[Array]) -> Array:
    """The parts of one list, one after the other; INVALID_ARGUMENT for numbers beside truth values."""
    kinds = {part.dtype.kind for part in parts if part.size}
    if "b" in kinds and len(kinds) > 1:
        raise invalid("a list of the request holds both numbers and true or false")
    if kinds == {"i", "u"} and min(int(part.min()) for part in parts if part.size) >= 0:
        parts = [part.astype(np.uint64) for part in parts]
    return np.concatenate(parts)


def _shape(form: bytes, depth: int) -> tuple[int, ...] | None:
    """The shape of lists of which brackets and commas are left; None if they differ in length.

    A last size of 1 may be 0.
    """
    inner = form[depth - 1 : form.find(b"]") + 1]
    sizes = [inner.count(b",") + 1]
    for level in range(2, depth + 1):
        start = depth - level
        outer = form[start : form.find(b"]" * level) + level]
        size = (len(outer) - 1) // (len(inner) + 1)
        if outer != b"[" + (inner + b",") * (size - 1) + inner + b"]":
            return None
        inner = outer
        sizes.append(size)
    return tuple(reversed(sizes)) if inner == form else None
