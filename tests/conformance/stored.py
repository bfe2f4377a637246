"""What takes seconds to make and is the same for one version of a package, kept between runs of the tests."""

from __future__ import annotations

import hashlib
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import ml_dtypes
import numpy as np
import onnx

if sys.platform != "win32":
    import fcntl

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "conformance"
UNREADABLE = (OSError, EOFError, pickle.UnpicklingError)
T = TypeVar("T")


def stored(make: Callable[[], T], folder: Path = FOLDER) -> T:
    """What `make` gives: from the folder if it was made with these onnx, numpy, ml_dtypes and test files.

    Of processes that begin together one makes it, and the others wait.
    """
    path = folder / f"{_key()}.pickle"
    found: list[T] = _read(path)
    if not found:
        with _alone(folder):
            found = _read(path) or [_written(make(), path)]
    return found[0]


def _read(path: Path) -> list[Any]:
    """What a file holds; empty if it cannot be read."""
    with suppress(*UNREADABLE):
        return [pickle.loads(path.read_bytes())]
    return []


def _written(made: T, path: Path) -> T:
    """Put it into the file in place of all others of the folder, if it can be written."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("*.pickle"):
            old.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            pickle.dump(made, file, pickle.HIGHEST_PROTOCOL)
        Path(file.name).replace(path)
    return made


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is at it, where files can be locked; a lock ends with its process."""
    if sys.platform == "win32":
        yield
        return
    with ExitStack() as held:
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            file = held.enter_context(folder.with_suffix(".lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key() -> str:
    package = Path(onnx.__file__)
    versions = [library.__version__ for library in (onnx, np, ml_dtypes)]
    facts = [*versions, str(package), str(package.stat().st_mtime_ns)]
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"\0".join([*map(str.encode, facts), *sources])).hexdigest()[:32]
