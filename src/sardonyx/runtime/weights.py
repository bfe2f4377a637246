"""The constants of a program in memory: arrays of their own, or parts of one mapped file.

Must not know what the constants mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sardonyx.base import dtype as dt
from sardonyx.runtime.pointers import address_of

Array = np.ndarray[Any, Any]
Row = tuple[int, str, tuple[int, ...]]
"""Offset in bytes (-1 for objects), dtype and shape of one constant."""

_ALIGN = 64


class Weights:
    """Constants by number, read-only.

    Attributes:
        addresses: where each one is.
    """

    def __init__(self, arrays: Sequence[Array]) -> None:
        arrays = [np.require(array, requirements="A") for array in arrays]
        self._arrays: list[Array | None] = list(arrays)
        self._rows: Sequence[Row] = ()
        for array in arrays:
            array.flags.writeable = False
        self.addresses = [address_of(array) for array in arrays]
        self.size_bytes = sum(array.nbytes for array in arrays)

    @classmethod
    def mapped(cls, payload: npt.NDArray[np.uint8], rows: Sequence[Row], objects: Sequence[Array]) -> Weights:
        """The constants that `pack` described, inside bytes that may be a mapped file."""
        weights = cls(())
        left = iter(objects)
        weights._arrays = [next(left) if offset < 0 else None for offset, _, _ in rows]
        weights._rows = rows
        weights._payload = payload
        weights.size_bytes = payload.nbytes
        start = address_of(payload)
        weights.addresses = [start + max(0, offset) for offset, _, _ in rows]
        return weights

    _payload = np.empty(0, np.uint8)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, number: int) -> Array:
        """The constant as an array."""
        array = self._arrays[number]
        if array is None:
            offset, name, shape = self._rows[number]
            dtype = dt.by_name(name).numpy
            flat = self._payload[offset : offset + int(np.prod(shape)) * dtype.itemsize]
            array = self._arrays[number] = flat.view(dtype).reshape(shape)
        return array


def pack(arrays: Sequence[Array]) -> tuple[list[Row], list[Array], Iterator[memoryview]]:
    """Rows, the arrays of objects, and the bytes to be stored, in pieces; every array starts aligned."""
    rows: list[Row] = []
    at = 0
    for array in arrays:
        kept = array.dtype.kind == "O"
        rows.append((-1 if kept else at, dt.by_numpy(array.dtype).name, array.shape))
        at += 0 if kept else -(-array.nbytes // _ALIGN) * _ALIGN
    objects = [array for array in arrays if array.dtype.kind == "O"]
    return rows, objects, _pieces(arrays)


def _pieces(arrays: Sequence[Array]) -> Iterator[memoryview]:
    for array in arrays:
        if array.dtype.kind != "O" and array.size:
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            yield memoryview(bytes(-array.nbytes % _ALIGN))
