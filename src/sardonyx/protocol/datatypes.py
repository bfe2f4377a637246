"""The element types of the protocol: their names, numpy dtypes, and how BYTES elements are laid out.

Knows bytes and numpy; must not know JSON, requests or models.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.protocol.errors import invalid

Array = npt.NDArray[Any]
Buffer = bytes | bytearray | memoryview

_SMALL = 1 << 15
"""Bytes below which a copy costs less than memory that the engine must look at more closely."""
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type; `size` is the bytes of an element on the wire, 0 for BYTES; `onnx` ONNX's name."""

    name: str
    known: DType
    size: int
    onnx: str
    config: str

    @property
    def numpy(self) -> np.dtype[Any]:
        """Its numpy dtype; `ml_dtypes` is imported for the one that numpy itself lacks."""
        return self.known.numpy


def _row(name: str, known: DType, config: str = "") -> Datatype:
    size = 0 if known.kind == "O" else known.size_bytes
    return Datatype(name, known, size, known.onnx_name, f"TYPE_{config or name}")


DATATYPES = {
    row.name: row
    for row in (
        _row("BOOL", dt.BOOL),
        _row("UINT8", dt.U8),
        _row("UINT16", dt.U16),
        _row("UINT32", dt.U32),
        _row("UINT64", dt.U64),
        _row("INT8", dt.I8),
        _row("INT16", dt.I16),
        _row("INT32", dt.I32),
        _row("INT64", dt.I64),
        _row("FP16", dt.F16),
        _row("BF16", dt.BF16),
        _row("FP32", dt.F32),
        _row("FP64", dt.F64),
        _row("BYTES", dt.STRING, "STRING"),
    )
}
BY_ONNX = {row.onnx: row for row in DATATYPES.values()}
BY_CONFIG = {row.config: row for row in DATATYPES.values()}


def datatype(name: str, tensor: str = "") -> Datatype:
    """The type of that name; INVALID_ARGUMENT names the tensor if there is none."""
    row = DATATYPES.get(name)
    if row is None:
        where = f" of '{tensor}'" if tensor else ""
        raise invalid(f"datatype '{name}'{where} is unknown; the datatypes are {', '.join(DATATYPES)}")
    return row


def element_count(shape: Iterable[int]) -> int:
    """The product of the dimensions, exact for any size."""
    count = 1
    for size in shape:
        count *= size
    return count


def from_raw(name: str, kind: Datatype, shape: tuple[int, ...], raw: Buffer) -> Array:
    """The tensor of little-endian bytes, a view of large ones that lie well; BYTES become bytes objects.

    INVALID_ARGUMENT if their number is not that of the shape.
    """
    count = element_count(shape)
    if kind.size == 0:
        return unpack_bytes(name, shape, count, raw)
    if len(raw) != count * kind.size:
        raise invalid(
            f"unexpected size for input '{name}': {list(shape)} of {kind.name} take "
            f"{count * kind.size} bytes, got {len(raw)}"
        )
    if kind.name == "BOOL":
        truths: Array = np.frombuffer(raw, np.uint8) != 0
        return truths.reshape(shape)
    array: Array = np.frombuffer(raw, kind.numpy).reshape(shape)
    return array.copy() if len(raw) < _SMALL or not array.flags.carray else array


def to_raw(array: Array) -> memoryview:
    """The bytes of a tensor in C order and little-endian; a view where that is how it lies in memory."""
    if array.dtype.kind == "O":
        return memoryview(pack_bytes(array))
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def unpack_bytes(name: str, shape: tuple[int, ...], count: int, raw: Buffer) -> Array:
    """`count` elements of four bytes of length and so many bytes; INVALID_ARGUMENT if they do not fit."""
    elements: list[bytes] = []
    view, position, end = memoryview(raw), 0, len(raw)
    while position < end:
        if len(elements) == count or end - position < _LENGTH.size:
            raise invalid(
                f"unexpected number of string elements in '{name}': {count} expected, got more bytes"
            )
        (length,) = _LENGTH.unpack_from(view, position)
        position += _LENGTH.size
        if length > end - position:
            raise invalid(
                f"element {len(elements)} of '{name}' claims {length} bytes; {end - position} are left"
            )
        elements.append(bytes(view[position : position + length]))
        position += length
    if len(elements) != count:
        raise invalid(f"unexpected number of string elements {len(elements)} in '{name}', expected {count}")
    return objects(elements).reshape(shape)


def pack_bytes(array: Array) -> bytearray:
    """The elements one after the other, each after its length in four bytes."""
    packed = bytearray()
    for item in array.reshape(-1).tolist():
        element = item if isinstance(item, bytes) else str(item).encode()
        packed += _LENGTH.pack(len(element))
        packed += element
    return packed


def objects(items: list[Any]) -> Array:
    """A flat array of Python objects, whatever they are."""
    array = np.empty(len(items), object)
    array[:] = items
    return array
