"""Arrays that somebody kept in numpy's own files.

Decides which errors mean that a file is not one of those. Arrays of objects are refused,
so that nothing in a file is run.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of a .npz by name; ValueError if it is damaged or none, OSError if it cannot be read."""
    found = _read(path)
    if isinstance(found, np.ndarray):
        raise ValueError("it holds one array without a name; write it with numpy.savez")
    return found


def read_npy(path: Path) -> Array:
    """The array of a .npy; ValueError if it is damaged or none, OSError if it cannot be read."""
    found = _read(path)
    if not isinstance(found, np.ndarray):
        raise ValueError("it holds arrays by name; write one with numpy.save")
    return found


def _read(path: Path) -> Array | dict[str, Array]:
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else dict(found)
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"it is damaged: {error}") from error
