"""Looking keys up, and maps on the host (Python dicts), as numpy algorithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any
from weakref import ref

import numpy as np

from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def _key(value: Any) -> Any:
    return "nan" if isinstance(value, float) and value != value else value


def lookup(x: Array, keys: Array, values: Array, default: Array) -> Array:
    """The value of each element's key, or the default; NaN is a key like any other."""
    flat = x.reshape(-1).tolist()
    asked = flat if x.dtype.kind in "iuO" else map(_key, flat)
    found = map(_table_of(keys, values).get, asked, repeat(default.reshape(-1)[0]))
    return np.fromiter(found, values.dtype, x.size).reshape(x.shape)


def _table_of(keys: Array, values: Array) -> dict[Any, Any]:
    """The first value of each key, kept as long as the values are."""
    name = id(keys), id(values)
    found = _tables.get(name)
    if found is None or found[0]() is not keys or found[1]() is not values:
        table: dict[Any, Any] = {}
        for key, value in zip(map(_key, keys.tolist()), values.tolist(), strict=True):
            table.setdefault(key, value)
        found = _tables[name] = ref(keys), ref(values, lambda _: _tables.pop(name, None)), table
    return found[2]


_tables: dict[tuple[int, int], tuple[ref[Array], ref[Array], dict[Any, Any]]] = {}


def zip_map(x: Array, *, labels: Sequence[int | str]) -> list[dict[int | str, float]]:
    """A dict from label to score for every row."""
    rows = x if x.ndim == 2 else np.atleast_2d(x)
    return _maps_of(tuple(labels))(rows.tolist())


@lru_cache(maxsize=64)
def _maps_of(labels: tuple[int | str, ...]) -> Callable[[list[Any]], list[dict[int | str, float]]]:
    """A function of rows with the dict of one written out, which is five times as fast as to zip labels."""
    scores = [f"v{n}" for n in range(len(labels))]
    pairs = ", ".join(f"{label!r}: {score}" for label, score in zip(labels, scores, strict=True))
    made: Callable[[list[Any]], list[dict[int | str, float]]] = eval(
        f"lambda rows: [{{{pairs}}} for [{', '.join(scores)}] in rows]", {}
    )
    return made


def vectorize(entries: Mapping[Any, Any], *, keys: Sequence[int | str]) -> Array:
    """The values of the keys in order, 0 where there is none, as one row."""
    return np.asarray([[entries.get(k, 0) for k in keys]])


def cast_map(entries: Mapping[int, Any], *, to: str, size: int | None) -> tuple[Array]:
    """The values in the order of their keys as one row; or, with `size`, each in the column of its key.

    Raises ValueError for a key below 0, which has no column.
    """
    convert, kind = {
        "TO_FLOAT": (float, np.float32),
        "TO_INT64": (int, np.int64),
        "TO_STRING": (str, object),
    }[to]
    pairs = sorted(entries.items())
    if size is None:
        return (np.asarray([[convert(v) for _, v in pairs]], dtype=kind),)
    if pairs and pairs[0][0] < 0:
        raise ValueError(f"the key {pairs[0][0]} has no column")
    row = np.full((1, size), "" if kind is object else 0, dtype=kind)
    for key, value in pairs:
        if key < size:
            row[0, key] = convert(value)
    return (row,)


register("lookup", "opaque", lookup, constant=(1, 2, 3), dense=True)
register("zip_map", "opaque", zip_map)
register("vectorize_map", "opaque", vectorize)
register("cast_map", "opaque", cast_map)
