"""What takes seconds to make and is the same for one version of a package, kept between runs of the tests."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "conformance"
T = TypeVar("T")


def stored(make: Callable[[], T], folder: Path = FOLDER) -> T:
    """What `make` gives: from the folder if it was made with this onnx, this numpy and these test files."""
    path = folder / f"{_key()}.pickle"
    with suppress(OSError, EOFError, pickle.UnpicklingError):
        found: T = pickle.loads(path.read_bytes())
        return found
    made = make()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.pickle"):
            old.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            pickle.dump(made, file, pickle.HIGHEST_PROTOCOL)
        Path(file.name).replace(path)
    return made


def _key() -> str:
    package = Path(onnx.__file__)
    facts = [onnx.__version__, np.__version__, str(package), str(package.stat().st_mtime_ns)]
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"\0".join([*map(str.encode, facts), *sources])).hexdigest()[:32]
