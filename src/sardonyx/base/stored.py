"""Arrays that somebody kept in numpy's own files.

Decides which errors mean that a file is not one of those. Arrays of objects are refused,
so that nothing in a file is run.
"""

from __future__ import annotations

import errno
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]

DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, KeyError),
    *(NotImplementedError, RuntimeError),
)
"""What reading a .zip raises that is damaged, encrypted or packed in an unknown way, beside ValueError."""


def read_npz(path: Path, most_bytes: int | None = None) -> dict[str, Array]:
    """All arrays of a .npz by name, `most_bytes` of them in all.

    ValueError if it is damaged, none or too large, OSError if it cannot be read.
    """
    found = _read(path, most_bytes)
    if isinstance(found, np.ndarray):
        raise ValueError("it holds one array without a name; write it with numpy.savez")
    return found


def read_npy(path: Path) -> Array:
    """The array of a .npy; ValueError if it is damaged or none, OSError if it cannot be read."""
    found = _read(path)
    if not isinstance(found, np.ndarray):
        raise ValueError("it holds arrays by name; write one with numpy.save")
    return found


def _read(path: Path, most_bytes: int | None = None) -> Array | dict[str, Array]:
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
            size = sum(part.file_size for part in found.zip.infolist())
            if most_bytes is not None and size > most_bytes:
                raise ValueError(f"its arrays have {size} bytes, {most_bytes} are allowed")
            return dict(found)
    except MemoryError as error:
        raise ValueError(f"it is damaged, or needs more memory than there is: {error}") from error
    except (*DAMAGED_ZIP, TokenError) as error:
        raise ValueError(f"it is damaged: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError("it is damaged: its contents lie outside of it") from error
