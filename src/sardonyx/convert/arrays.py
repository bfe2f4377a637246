"""Arrays by name in a file, without pickles: how a worker and its caller exchange them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sardonyx.convert.framework import Array


def write_arrays(arrays: Mapping[str, Array], path: Path) -> list[str]:
    """Write arrays, texts as fixed width; their names in order."""
    parts = {f"a{at}": _storable(array) for at, array in enumerate(arrays.values())}
    np.savez(path, names=np.array(list(arrays), np.str_), **parts)  # type: ignore[arg-type]
    return list(arrays)


def _storable(array: Array) -> Array:
    array = np.asarray(array)
    return array.astype(np.str_) if array.dtype == object else array


def read_arrays(path: Path) -> dict[str, Array]:
    """What `write_arrays` wrote; texts are objects again."""
    with np.load(path, allow_pickle=False) as stored:
        parts = {str(name): stored[f"a{at}"] for at, name in enumerate(stored["names"])}
    return {name: part.astype(object) if part.dtype.kind == "U" else part for name, part in parts.items()}
