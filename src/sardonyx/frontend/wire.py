"""Takes what is large out of a model's bytes before protobuf parses the rest: tensors and long lists.

Protobuf copies contents twice and makes a Python object of every number. Decides what is taken, and how it
stands in the bytes; must not know what it means. Bytes that are not as expected are left to protobuf.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sardonyx.ops.table import Texts

Bytes = npt.NDArray[np.uint8]

LARGE_BYTES = 1 << 16
"""What is smaller stays where it is."""
MARK_BYTES = 24
"""How long the bytes are that stand in place of what is taken."""
_MOST_TEXTS = 16
_CHUNK_BYTES = 1 << 18
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


Taken = npt.NDArray[Any] | Texts


class Extracted(NamedTuple):
    """A model's bytes without what was taken: instead there are marks.

    A mark stands in `raw_data` of a tensor, or in `s` of an attribute whose list was taken.
    """

    data: bytes
    taken: Mapping[bytes, Taken]


class _Field(NamedTuple):
    """One field of a message: its number and wire type, where its tag begins, and where its value lies."""

    number: int
    type: int
    tag: int
    start: int
    end: int


def extract(data: bytes | Bytes) -> Extracted:
    """The bytes of a ModelProto without what is large in its main graph; that is as it lies in `data`."""
    extractor = _Extractor(data)
    try:
        return Extracted(extractor.model(), extractor.taken)
    except (IndexError, ValueError):
        return Extracted(bytes(data), {})


class _Extractor:
    """Rewrites nested messages; numbers of fields are those of onnx.proto."""

    def __init__(self, data: bytes | Bytes) -> None:
        self.bytes = np.frombuffer(data, np.uint8)
        self.data: memoryview = self.bytes.data
        self.taken: dict[bytes, Taken] = {}
        self._secret = os.urandom(MARK_BYTES - 4)

    def model(self) -> bytes:
        """Without what was taken out of field 7, the graph."""
        return self._rewritten(0, len(self.data), {7: self._graph}) or bytes(self.data)

    def _graph(self, start: int, end: int) -> bytes | None:
        return self._rewritten(start, end, {1: self._node, 5: self._tensor})

    def _rewritten(
        self, start: int, end: int, parts: Mapping[int, Callable[[int, int], bytes | None]]
    ) -> bytes | None:
        """A message with large fields as `parts` make them; None if they leave all as it is."""
        pieces: list[bytes | memoryview] = []
        kept = start
        for field in _fields(self.data, start, end):
            part = parts.get(field.number)
            if part is None or field.type != _LENGTH or field.end - field.start < LARGE_BYTES:
                continue
            made = part(field.start, field.end)
            if made is not None:
                pieces += [self.data[kept : field.tag], _delimited(field.number, made)]
                kept = field.end
        return b"".join([*pieces, self.data[kept:end]]) if pieces else None

    def _tensor(self, start: int, end: int) -> bytes | None:
        """Without raw_data (9), or float_data (4), which lies there as raw data would."""
        fields = list(_fields(self.data, start, end))
        contents = [field for field in fields if field.number in (4, 5, 6, 7, 9, 10, 11, 13)]
        if len(contents) != 1 or contents[0].number not in (4, 9) or contents[0].type != _LENGTH:
            return None
        (content,) = contents
        mark = self._take(self.bytes[content.start : content.end])
        return b"".join((self.data[start : content.tag], _delimited(9, mark), self.data[content.end : end]))

    def _node(self, start: int, end: int) -> bytes | None:
        """A constant without its tensor, or a tree ensemble without its lists: few others have such."""
        fields = list(_fields(self.data, start, end))
        texts = {
            field.number: bytes(self.data[field.start : field.end])
            for field in fields
            if field.number in (4, 7)
        }
        domain, operator = texts.get(7, b""), texts.get(4, b"")
        if operator == b"Constant" and domain in (b"", b"ai.onnx"):
            return self._rewritten(start, end, {5: self._constant})
        if domain == b"ai.onnx.ml" and operator.startswith(b"TreeEnsemble"):
            return self._rewritten(start, end, {5: self._attribute})
        return None

    def _constant(self, start: int, end: int) -> bytes | None:
        """Without the content of its tensor (5)."""
        is_one = sum(field.number == 5 for field in _fields(self.data, start, end)) == 1
        return self._rewritten(start, end, {5: self._tensor}) if is_one else None

    def _attribute(self, start: int, end: int) -> bytes | None:
        """Without its list of floats (7), ints (8) or strings (9), one field for each element."""
        decoders = {(7, _FIXED32): _floats, (8, _VARINT): _ints, (9, _LENGTH): _texts}
        for field in _fields(self.data, start, end):
            decode = decoders.get((field.number, field.type))
            found = decode(self.bytes[field.tag : end]) if decode is not None else None
            if found is not None:
                after = field.tag + found[1]
                if any(other.number in range(2, 12) for other in _fields(self.data, after, end)):
                    return None
                mark = _delimited(4, self._take(found[0]))
                return b"".join((self.data[start : field.tag], mark, self.data[after:end]))
            if field.number in range(2, 12):
                return None
        return None

    def _take(self, found: Taken) -> bytes:
        mark = self._secret + len(self.taken).to_bytes(4, "little")
        self.taken[mark] = found
        return mark


def _fields(data: memoryview, start: int, end: int) -> Iterator[_Field]:
    """The fields of a message. Raises IndexError or ValueError for other bytes."""
    at = start
    while at < end:
        tag_at = at
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _LENGTH:
            size, at = _varint(data, at)
            after = at + size
        elif kind == _VARINT:
            after = _varint(data, at)[1]
        elif kind in (_FIXED32, _FIXED64):
            after = at + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"wire type {kind}")
        if after > end:
            raise ValueError("a field ends outside of its message")
        yield _Field(number, kind, tag_at, at, after)
        at = after


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


def _delimited(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    head, size = bytearray([number << 3 | _LENGTH]), len(content)
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content


def _floats(data: Bytes) -> tuple[Taken, int] | None:
    """Elements as long as each is a tag and four bytes, and how many bytes they take."""
    rows = data[: len(data) // 5 * 5].reshape(-1, 5)
    count = _leading(rows[:, 0] == data[0])
    return np.ascontiguousarray(rows[:count, 1:]).view("<f4").reshape(-1), count * 5


def _ints(data: Bytes) -> tuple[Taken, int] | None:
    """Elements as long as each is a tag and a varint, and how many bytes they take."""
    chunks, at, goes_on = [], 0, True
    while goes_on and at < len(data):
        found = _some_ints(data[at : at + _CHUNK_BYTES], data[0])
        if found is None:
            return None
        values, size = found
        goes_on = size > 0 and size > _CHUNK_BYTES - 11
        is_small = not len(values) or int(values.max()) < 1 << 31
        chunks.append(values.astype(np.int32) if is_small else values.view(np.int64))
        at += size
    return (np.concatenate(chunks), at) if at else None


def _some_ints(data: Bytes, tag: int) -> tuple[npt.NDArray[np.uint64], int] | None:
    """The elements that lie as a whole in a piece of the bytes, before the first that is cut off."""
    ends = np.flatnonzero(data < 0x80)
    ends = ends[: len(ends) // 2 * 2]
    tags, lasts = ends[0::2], ends[1::2]
    follows = data[tags] == tag
    follows[:1] &= tags[:1] == 0
    follows[1:] &= tags[1:] == lasts[:-1] + 1
    count = _leading(follows)
    if count == 0:
        return np.empty(0, np.uint64), 0
    tags, lasts = tags[:count], lasts[:count]
    sizes = lasts - tags
    most = int(sizes.max())
    if most > 10:
        return None
    values = (data[tags + 1] & 0x7F).astype(np.uint64)
    for place in range(1, most):
        longer = np.flatnonzero(sizes > place)
        digits = (data[tags[longer] + 1 + place] & 0x7F).astype(np.uint64)
        values[longer] |= digits << np.uint64(7 * place)
    return values, int(lasts[-1]) + 1


def _texts(data: Bytes) -> tuple[Taken, int] | None:
    """Elements as long as each is a tag, a length and one of few texts, and how many bytes they take.

    Each different element is replaced by one byte, everywhere at once: no text may hold the byte of a tag.
    """
    tag = data[:1].tobytes()
    rest, names = data.tobytes(), list[bytes]()
    while rest[(count := _leading(np.frombuffer(rest, np.uint8) < len(names))) :][:1] == tag:
        length = rest[count + 1]
        element = rest[count : count + 2 + length]
        if length > 0x7F or length == tag[0] or tag in element[2:] or len(names) == _MOST_TEXTS:
            return None
        rest = rest.replace(element, bytes([len(names)]))
        names.append(element[2:])
    codes = np.frombuffer(rest, np.uint8)[:count].copy()
    sizes = np.array([2 + len(name) for name in names])
    size = int(np.bincount(codes, minlength=len(names)) @ sizes)
    if size > len(data) or np.count_nonzero(data[:size] == tag[0]) != count:
        return None
    return Texts(tuple(name.decode("utf-8", "surrogateescape") for name in names), codes), size


def _leading(holds: npt.NDArray[np.bool_]) -> int:
    """How many hold before the first that does not."""
    return int(holds.argmin()) if not holds.all() else len(holds)
