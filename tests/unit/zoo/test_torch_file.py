"""Files of weights give their tensors; whatever else they hold is refused, never run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.zoo import FetchError
from sardonyx.zoo.torch_file import MAGIC, tensors

WEIGHTS = np.arange(12, dtype=np.float32)


class Global:
    """Pickled as a name of a module that is not here."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.module, self.name, self.arguments = module, name, arguments


class Pickler(pickle._Pickler):  # type: ignore[misc]
    """Writes what PyTorch writes: storages by reference, tensors as calls."""

    def persistent_id(self, thing: Any) -> Any:
        return (
            ("storage", thing, "0", "cpu", 12) if isinstance(thing, Global) and not thing.arguments else None
        )

    def save(self, thing: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(thing, Global):
            super().save(thing, save_persistent_id)
        elif thing.arguments:
            self.write(f"c{thing.module}\n{thing.name}\n".encode())
            super().save(thing.arguments)
            self.write(pickle.REDUCE)
        else:
            storage = f"c{thing.module}\n{thing.name}\n".encode()
            self.write(pickle.MARK)
            super().save("storage")
            self.write(storage)
            for part in ("0", "cpu", 12):
                super().save(part)
            self.write(pickle.TUPLE + pickle.BINPERSID)


def pickled(file: Any, thing: Any) -> None:
    Pickler(file, 2).dump(thing)


def tensor(offset: int = 0, shape: tuple[int, ...] = (3, 4), strides: tuple[int, ...] = (4, 1)) -> Global:
    storage = Global("torch", "FloatStorage")
    return Global("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, {})


def older(path: Path, state: Any, content: bytes = WEIGHTS.tobytes()) -> Path:
    with path.open("wb") as file:
        for part in (MAGIC, 1001, {"little_endian": True}, state, ["0"]):
            pickled(file, part)
        file.write(len(WEIGHTS).to_bytes(8, "little") + content)
    return path


def zipped(path: Path, state: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("net/data.pkl", "w") as file:
            pickled(file, state)
        archive.writestr("net/data/0", WEIGHTS.tobytes())
    return path


@pytest.mark.parametrize("write", [older, zipped])
def test_tensors_of_both_formats(write: Any, tmp_path: Path) -> None:
    state = {"a": tensor(), "b": tensor(4, (4, 2), (1, 4)), "c": tensor(5, (), ())}
    found = tensors(write(tmp_path / "net.pth", state))
    assert np.array_equal(found["a"], WEIGHTS.reshape(3, 4))
    assert np.array_equal(found["b"], WEIGHTS.reshape(3, 4)[1:].T)
    assert found["c"] == 5


def test_what_is_no_tensor_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for write in (older, zipped):
        path = write(tmp_path / "net.pth", {"a": Global("os", "mkdir", os.fspath(mark))})
        with pytest.raises(FetchError, match=r"os\.mkdir, which is not a tensor"):
            tensors(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("state", "content"), [({"a": tensor()}, b"short"), ({"a": tensor(8)}, WEIGHTS.tobytes())]
)
def test_what_is_cut_off_is_refused(state: Any, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not a whole PyTorch file"):
        tensors(older(tmp_path / "net.pth", state, content))
