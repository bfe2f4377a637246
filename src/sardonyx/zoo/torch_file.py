"""Reads the tensors of a PyTorch file of weights without PyTorch: both the zip format and the older one.

Nothing in the file is executed: the unpickler knows tensors and ordered dictionaries, and refuses all else.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.maker import Array

MAGIC = 0x1950A86A20F9469CFC6C
ELEMENTS = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def tensors(path: Path) -> dict[str, Array]:
    """The tensors of a state dictionary by name.

    Raises:
        FetchError: it is not such a file, holds something else than tensors, or is cut off.
    """
    try:
        read = _zipped if zipfile.is_zipfile(path) else _plain
        return dict(read(path))
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError) as error:
        raise FetchError(f"{path} is not a whole PyTorch file of weights: {error}") from error


class _Unpickler(pickle.Unpickler):
    """Knows what a state dictionary is made of; `storage` gives the elements of one by its key."""

    def __init__(self, file: IO[bytes], storage: Any) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _View
        if module == "torch" and name in ELEMENTS:
            return np.dtype(ELEMENTS[name])
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not a tensor")

    def persistent_load(self, identity: Any) -> Any:
        _, element, key, _, count, *_ = identity
        return self._storage(key, element, count)


class _View:
    """A tensor whose elements may be read later."""

    def __init__(self, storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> None:
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def array(self, storages: dict[str, Array]) -> Array:
        elements = storages[self._storage][self._offset :]
        bytes_apart = [step * elements.itemsize for step in self._strides]
        reach = 1 + sum((size - 1) * step for size, step in zip(self._shape, self._strides, strict=True))
        if reach > elements.size or min((*self._shape, *self._strides, 1)) < 0:
            raise ValueError("a tensor reaches beyond its elements")
        return np.lib.stride_tricks.as_strided(elements, self._shape, bytes_apart).copy()


def _plain(path: Path) -> dict[str, Array]:
    """Four pickles (magic, version, sizes, tensors), the order of the elements, then these."""
    known: dict[str, np.dtype[Any]] = {}

    def storage(key: str, element: np.dtype[Any], count: int) -> str:
        known[key] = element
        return key

    with path.open("rb") as file:
        if _Unpickler(file, None).load() != MAGIC:
            raise ValueError("it does not begin as one")
        _Unpickler(file, None).load()
        _Unpickler(file, None).load()
        views = _Unpickler(file, storage).load()
        storages = {}
        for key in _Unpickler(file, None).load():
            count = int.from_bytes(file.read(8), "little")
            content = file.read(count * known[key].itemsize)
            storages[key] = np.frombuffer(content, known[key], count)
    return {name: view.array(storages) for name, view in views.items()}


def _zipped(path: Path) -> dict[str, Array]:
    storages: dict[str, Array] = {}
    with zipfile.ZipFile(path) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("data.pkl")).removesuffix(
            "data.pkl"
        )

        def storage(key: str, element: np.dtype[Any], count: int) -> str:
            if key not in storages:
                storages[key] = np.frombuffer(archive.read(f"{folder}data/{key}"), element)
            return key

        with archive.open(f"{folder}data.pkl") as file:
            views = _Unpickler(file, storage).load()
    return {name: view.array(storages) for name, view in views.items()}
