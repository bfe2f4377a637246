"""The storages of a program, numbered in the order of their first use, and its constants.

Knows which memory there is and when it lives; must not know calls.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.deferred import Constant, Deferred
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Storage
from sardonyx.ir.value import Shape, Value
from sardonyx.runtime.data import SpecKind, StorageSpec


class Constants:
    """The arrays of a program that do not change, each once; programs inside it share them."""

    def __init__(self) -> None:
        self.arrays: list[Constant] = []
        self._numbers: dict[int, int] = {}

    def number(self, array: Constant) -> int:
        """The number of an array, contiguous."""
        array = array if isinstance(array, Deferred) else np.asarray(array, order="C")
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[id(array)]


@dataclass(slots=True)
class Use:
    """A storage and its use so far; the fields are those of `StorageSpec`, -1 before the first use."""

    number: int
    storage: Storage
    index: int = 0
    segment: int = -1
    slot: int = -1
    first: int = 0
    last: int = -1
    slots: tuple[int, ...] = ()

    @property
    def kind(self) -> SpecKind:
        """The kind of its `StorageSpec`."""
        if self.storage.kind == "packed":
            return "const"
        return "sizes" if sizes_in(self.storage.value) else self.storage.kind


class Storages:
    """All storages of a program.

    Attributes:
        of_host: the number of a host step's result, by the identity of the storage that stands for it.
    """

    def __init__(self, fusion: Fusion, constants: Constants) -> None:
        self.of_host: dict[int, int] = {}
        self._constants = constants
        self._uses: list[Use] = []
        self._by_identity: dict[int, Use] = {}
        self._output_shapes = {
            id(place.storage): value.shape
            for place, (_, value) in zip(fusion.outputs, fusion.graph.outputs, strict=True)
            if place
        }

    def __getitem__(self, number: int) -> Use:
        return self._uses[number]

    def number(self, storage: Storage) -> int:
        """The number of a storage, a new one at its first mention."""
        found = self._by_identity.get(id(storage))
        if found is None:
            found = self._by_identity[id(storage)] = Use(len(self._uses), storage, storage.index)
            self._uses.append(found)
            if found.kind == "const":
                data: Constant | None = storage.deferred
                if storage.value is not None:
                    data = storage.value.data
                assert data is not None
                found.index = self._constants.number(data)
            elif storage.kind == "host":
                found.index = self.of_host[id(storage)]
        return found.number

    def shape(self, storage: Storage) -> Shape:
        """The sizes of an output, whose product may hide some of them behind a 0; () of anything else."""
        return self._output_shapes.get(id(storage), ())

    def specs(self) -> tuple[StorageSpec, ...]:
        """What the runtime must know of each."""
        result = []
        for use in self._uses:
            numbers = use.index, max(0, use.segment), max(0, use.slot), use.first, use.last
            result.append(StorageSpec(use.kind, use.storage.dtype.name, *numbers, use.slots))
        return tuple(result)


def sizes_in(value: Value | None) -> frozenset[str]:
    """The symbols in the content of a constant."""
    return frozenset() if value is None or value.is_numeric_const else symbols_of(value)
