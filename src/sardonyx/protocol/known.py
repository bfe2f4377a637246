"""Bodies of a known text: of their tensors alone the content is read, or written.

Decides which bodies one text stands for. Must not know HTTP, gRPC or models.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.literals import CODES
from sardonyx.protocol.messages import InferRequest, InferResponse, Tensor
from sardonyx.protocol.rest import encode_response

Read = Callable[[bytes, int], bool]
"""Takes the tensors of a body that begin at a place; False if the body is not of the known text."""
_LIST = re.compile(rb'"data"\s*:\s*(\[[^"{}]*\])')
_KEY, _NOTHING = b'"data"', b'"data":[]'


def raw_reader(feeds: Sequence[Array]) -> Read:
    """Tensors one after the other as they lie in memory."""
    parts, end = [], 0
    for feed in feeds:
        start, end = end, end + feed.nbytes
        parts.append((bytes_of(feed), start, end))

    def read(body: bytes, at: int) -> bool:
        if len(body) - at != end:
            return False
        for place, start, stop in parts:
            place[:] = body[at + start : at + stop]
        return True

    return read


def text_reader(body: bytes, asked: InferRequest, feeds: Sequence[Array]) -> tuple[bytes, Read] | None:
    """What bodies like this one begin with, and what reads their lists from the first key 'data' on.

    None if it cannot be told which parts of the body are the tensors.
    """
    spans = [match.span(1) for match in _LIST.finditer(body)]
    if not spans or len(spans) != len(feeds):
        return None
    starts, stops = [start for start, _ in spans], [stop for _, stop in spans]
    between = [body[stop:start] for stop, start in zip([0, *stops], [*starts, len(body)], strict=True)]
    lists = [b"[%d]" % number for number in range(len(spans))]
    parts = [part for pair in zip(between, [*lists, b""], strict=True) for part in pair]
    document = orjson.loads(b"".join(parts))
    if [tensor.get("data") for tensor in document["inputs"]] != [[number] for number in range(len(spans))]:
        return None
    first = body.find(_KEY)
    lead = between[0][first:]
    rows = [
        (bytes_of(feed), CODES[tensor.datatype], feed.size, text)
        for feed, tensor, text in zip(feeds, asked.inputs, between[1:], strict=True)
    ]

    def read(body: bytes, at: int) -> bool:
        if not body.startswith(lead, at):
            return False
        start = at + len(lead)
        for place, code, count, text in rows:
            stop = body.find(text, start)
            numbers = _numbers(body[start:stop], code, count) if stop > start else None
            if numbers is None:
                return False
            place[:] = numbers
            start = stop + len(text)
        return start == len(body)

    return body[:first], read


def _numbers(text: bytes, code: str, count: int) -> memoryview | None:
    """The numbers of a list, None if it is not one of so many that all fit."""
    if b"true" in text or b"false" in text:
        return None
    try:
        flat = orjson.loads(text)
        while type(flat) is list and len(flat) == 1 and type(flat[0]) is list:
            flat = flat[0]
        return memoryview(array(code, flat)).cast("B") if len(flat) == count else None
    except (orjson.JSONDecodeError, TypeError, OverflowError):
        return None


def texts_around(response: InferResponse, asked: InferRequest) -> list[bytes]:
    """The JSON of a response in pieces, between which the lists of its tensors belong."""
    empty = [Tensor(t.name, t.datatype, t.shape, np.empty(0, t.data.dtype)) for t in response.outputs]
    text, _ = encode_response(replace(response, outputs=empty), asked)
    pieces = text.split(_NOTHING)
    return [*(piece + _KEY + b":" for piece in pieces[:-1]), pieces[-1]]


def list_text(tensor: Array) -> bytes | None:
    """The list of all numbers of a tensor; None if one of them is not a number of JSON."""
    text = orjson.dumps(tensor.reshape(-1), option=orjson.OPT_SERIALIZE_NUMPY)
    return None if tensor.dtype.kind == "f" and b"null" in text else text


def bytes_of(feed: Array) -> memoryview:
    """The memory of a tensor, to be written."""
    return feed.reshape(-1).view(np.uint8).data
