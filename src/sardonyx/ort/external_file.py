"""The file beside a written model that its large initialisers go to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sardonyx.ort.exceptions import InvalidArgument, status

if TYPE_CHECKING:
    from sardonyx.frontend.relocated import FileRange, Locate

_ALIGNMENT = 4096
"""Where tensors in a file of external data begin, so that they can be mapped into memory."""


class ExternalFile:
    """A file of external data, made when the first tensor is put into it and in its place when all are."""

    def __init__(self, folder: Path, name: str, threshold: int) -> None:
        """The file `name` in a folder, for initialisers of at least `threshold` bytes.

        Raises InvalidArgument if it would lie elsewhere.
        """
        if Path(name).is_absolute() or ".." in Path(name).parts:
            text = f"the file of external initializers {name!r} must lie beside the model; name it relative"
            raise status(InvalidArgument, text)
        self._path, self._name, self._threshold = folder / name, name, threshold
        self._part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        self._file: BinaryIO | None = None

    def __enter__(self) -> Locate:
        return self._put

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    def _put(self, name: str, array: np.ndarray[Any, Any], place: FileRange | None) -> FileRange | None:
        from sardonyx.frontend.relocated import FileRange

        if array.nbytes < max(self._threshold, 1):
            return None
        if self._file is None:
            self._file = self._part.open("wb")
        self._file.seek(-self._file.tell() % _ALIGNMENT, os.SEEK_CUR)
        start = self._file.tell()
        self._file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return FileRange(Path(self._name).as_posix(), start, array.nbytes)
