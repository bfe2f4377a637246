"""The constants of a program in memory: arrays of their own, or parts of mapped files.

Must not know what the constants mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.named import NamedTuple
from sardonyx.runtime import cores
from sardonyx.runtime.pointers import address_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from sardonyx.base.deferred import Constant

Array = np.ndarray[Any, Any]
Row = tuple[int, str, tuple[int, ...], int]
"""Offset in bytes (-1 for objects), dtype and shape of one constant, and which file it lies in: 0 is ours."""

_ALIGN = 64
_LEFT_BYTES = 1 << 16
"""What is larger is left in the file that it comes from."""


class Weights:
    """Constants by number, read-only.

    Attributes:
        addresses: where each one is.
    """

    def __init__(self, constants: Sequence[Constant]) -> None:
        arrays = [np.require(array, requirements="A") for array in _arrays(constants)]
        self._arrays: list[Array | None] = list(arrays)
        self._rows: Sequence[Row] = ()
        for array in arrays:
            array.flags.writeable = False
        self.addresses = [address_of(array) for array in arrays]
        self.size_bytes = sum(array.nbytes for array in arrays)

    @classmethod
    def mapped(
        cls, payloads: Sequence[npt.NDArray[np.uint8]], rows: Sequence[Row], objects: Sequence[Array]
    ) -> Weights:
        """The constants that `pack` described, inside bytes that may be mapped files.

        Raises ValueError if one lies outside of them.
        """
        weights = cls(())
        left = iter(objects)
        weights._arrays = [next(left) if row[0] < 0 else None for row in rows]
        weights._rows = rows
        weights._payloads = payloads
        weights.size_bytes = payloads[0].nbytes
        for offset, name, shape, file in rows:
            if file:
                size = prod(shape) * dt.by_name(name).size_bytes
                weights.size_bytes += size
                if file >= len(payloads) or offset + size > payloads[file].nbytes:
                    raise ValueError("a constant lies outside of its file")
        starts = list(map(address_of, payloads))
        weights.addresses = [starts[file] + max(0, offset) for offset, _, _, file in rows]
        return weights

    _payloads: Sequence[npt.NDArray[np.uint8]] = ()

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, number: int) -> Array:
        """The constant as an array."""
        array = self._arrays[number]
        if array is None:
            offset, name, shape, file = self._rows[number]
            dtype = dt.by_name(name).numpy
            flat = self._payloads[file][offset : offset + int(np.prod(shape)) * dtype.itemsize]
            array = self._arrays[number] = flat.view(dtype).reshape(shape)
        return array


class Packed(NamedTuple):
    """Where the constants of a program lie, the arrays of objects among them, and what is to be stored."""

    rows: list[Row]
    objects: list[Array]
    stored: list[Constant]

    def pieces(self) -> Iterator[memoryview]:
        """The bytes to be stored, in pieces that threads make; every array starts aligned."""
        from sardonyx.base.deferred import in_order

        size = 0
        for array in in_order(self._parts(), cores.team_size()):
            size += array.nbytes
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        assert size == sum(constant.nbytes + -constant.nbytes % _ALIGN for constant in self.stored)

    def _parts(self) -> Iterator[Array | Callable[[], Array]]:
        for constant in self.stored:
            if isinstance(constant, np.ndarray):
                yield constant
            else:
                yield from constant.parts()
            yield np.zeros(-constant.nbytes % _ALIGN, np.uint8)


def pack(constants: Sequence[Constant], files: Sequence[Path] = ()) -> Packed:
    """How to store constants; those that are part of one of the files as they are stay there."""
    rows: list[Row] = []
    stored: list[Constant] = []
    numbers = {path: number for number, path in enumerate(files, 1)}
    at = 0
    for constant in constants:
        name, shape = dt.by_numpy(constant.dtype).name, constant.shape
        left = _left_in_file(constant, numbers)
        if constant.dtype.kind == "O":
            rows.append((-1, name, shape, 0))
        elif left is not None:
            rows.append((left[1], name, shape, left[0]))
        else:
            rows.append((at, name, shape, 0))
            at += -(-constant.nbytes // _ALIGN) * _ALIGN
            if constant.nbytes:
                stored.append(constant)
    return Packed(rows, [c for c in constants if c.dtype.kind == "O" and isinstance(c, np.ndarray)], stored)


def _left_in_file(constant: Constant, numbers: Mapping[Path, int]) -> tuple[int, int] | None:
    """The number of the file that an array is part of, and at which byte; None for what is to be stored."""
    if not numbers or not isinstance(constant, np.ndarray) or constant.nbytes < _LEFT_BYTES:
        return None
    from sardonyx.base.mapped import place_of

    found = place_of(constant)
    if found is None or found[0].path not in numbers or found[1] % _ALIGN:
        return None
    return numbers[found[0].path], found[1]


def _arrays(constants: Sequence[Constant]) -> Iterator[Array]:
    present = [constant for constant in constants if isinstance(constant, np.ndarray)]
    if len(present) == len(constants):
        return iter(present)
    from sardonyx.base.deferred import arrays_of

    return arrays_of(constants, cores.team_size())
