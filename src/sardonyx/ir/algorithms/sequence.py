"""Host values that are not tensors: a sequence is a Python list, an optional is its value or None.

What is put into a sequence is copied: it outlives the memory that it comes from, and is not looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def construct(*items: Any) -> list[Any]:
    """A list of its arguments."""
    return [_own(item) for item in items]


def _own(item: Any) -> Any:
    return item.copy() if isinstance(item, np.ndarray) else item


def _number(position: Array) -> int:
    return int(np.asarray(position).reshape(()))


def _place(items: Sequence[Any], position: Array, beyond: int) -> int:
    at, length = _number(position), len(items)
    if not -length <= at < length + beyond:
        raise IndexError(f"position {at} is out of range for a sequence of {length}")
    return at + length if at < 0 else at


def at(items: Sequence[Any], position: Array) -> tuple[Any]:
    """One element."""
    return (items[_place(items, position, 0)],)


def insert(items: Sequence[Any], item: Any, *position: Array) -> list[Any]:
    """A list with one more element, at the end if no position is given."""
    place = _place(items, position[0], 1) if position else len(items)
    longer = [*items]
    longer.insert(place, _own(item))
    return longer


def erase(items: Sequence[Any], *position: Array) -> list[Any]:
    """A list without one element, the last if no position is given. Raises IndexError if there is none."""
    place = _place(items, position[0] if position else np.asarray(-1), 0)
    return [*items[:place], *items[place + 1 :]]


def length(items: Sequence[Any]) -> Array:
    """The number of elements."""
    return np.asarray(len(items), dtype=np.int64)


def join(items: Sequence[Array], *, axis: int, new_axis: bool) -> tuple[Array]:
    """All elements joined along an axis, or along a new one."""
    return (np.stack(items, axis) if new_axis else np.concatenate(items, axis),)


def split(x: Array, *sizes: Array, axis: int, keep: bool) -> list[Array]:
    """Pieces of an array: of the given sizes, of one size with a smaller last piece, or single positions."""
    x = x.copy()
    if not sizes:
        pieces = np.split(x, x.shape[axis], axis) if x.shape[axis] else []
        return pieces if keep else [p.squeeze(axis) for p in pieces]
    if sizes[0].ndim == 0:
        step = _number(sizes[0])
        ends = np.arange(step, x.shape[axis], step)
    else:
        ends = np.cumsum(sizes[0])[:-1]
    return list(np.split(x, ends, axis))


def wrap(*item: Any, type: str) -> Any:
    """An optional: its value, or None; `type` is what it was declared to hold."""
    return item[0] if item else None


def has(optional: Any) -> Array:
    """Whether an optional holds a value."""
    return np.asarray(optional is not None)


def get(optional: Any) -> tuple[Any]:
    """The value of an optional. Raises ValueError if it holds none."""
    if optional is None:
        raise ValueError("the optional is empty")
    return (optional,)


register("sequence", "opaque", construct)
register("sequence_at", "opaque", at)
register("sequence_insert", "opaque", insert)
register("sequence_erase", "opaque", erase)
register("sequence_length", "opaque", length)
register("sequence_join", "opaque", join)
register("sequence_split", "opaque", split)
register("optional", "opaque", wrap)
register("optional_has", "opaque", has)
register("optional_get", "opaque", get)
