"""By what equal values are found again, hashable forms of attributes and contents, and the table of them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from weakref import ref

import numpy as np

from sardonyx.base.dtype import DType

T = TypeVar("T")
_COMPARED = 4096
"""Constants of more elements are known by their array, not by its content."""


def freeze(data: Any) -> Any:
    """A hashable form of attributes."""
    if isinstance(data, dict):
        return tuple([(key, freeze(data[key])) for key in sorted(data)]) if data else ()
    try:
        hash(data)
    except TypeError:
        pass
    else:
        return data
    if isinstance(data, (list, tuple)):
        return tuple(map(freeze, data))
    return (data.dtype.str, data.shape, data.tobytes()) if isinstance(data, np.ndarray) else data


def const_key(data: np.ndarray[Any, Any], dtype: DType) -> Any:
    """What equal constants have in common; the array must live as long as the key."""
    if data.dtype == object:
        return ("const", dtype.name, data.shape, tuple(data.flat))
    content = data.tobytes() if data.size <= _COMPARED else id(data)
    return ("const", dtype.name, data.dtype.str, data.shape, content)


class _Entry(ref[T]):
    """A reference that knows under which key it stands."""

    __slots__ = ("key",)
    key: Any


class Table(Generic[T]):
    """Objects by their keys, each for as long as somebody holds it.

    A WeakValueDictionary of the standard library does it in three times the time. What holds sizes is keyed
    by the `era` too: in another model, or for another feed, sizes of one name have other least values.
    """

    def __init__(self) -> None:
        self.era = 0
        self._entries: dict[Any, _Entry[T]] = {}
        self._forget = self._forgotten

    def find(self, key: Any) -> T | None:
        """The object of a key that is alive."""
        entry = self._entries.get(key)
        return None if entry is None else entry()

    def first(self, key: Any, made: T) -> T:
        """The object of a key that is alive, or this one, which is found from now on."""
        entry = _Entry(made, self._forget)
        entry.key = key
        known = self._entries.setdefault(key, entry)()
        if known is None:
            self._entries[key] = entry
            return made
        return known

    def __len__(self) -> int:
        return len(self._entries)

    def _forgotten(self, entry: Any) -> None:
        found = self._entries.pop(entry.key, None)
        if found is not None and found is not entry:
            self._entries.setdefault(entry.key, found)
