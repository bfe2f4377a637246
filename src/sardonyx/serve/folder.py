"""Models of a folder: a bare file, files side by side, or `name/version/model.onnx` as Triton keeps them.

Decides names and versions; must not know what is done with a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sardonyx.protocol.errors import not_found
from sardonyx.serve.seams import Offer

SUFFIX = ".onnx"
_FIRST = "1"


class FolderSource:
    """The models at a path, which is a model file or a folder of them; looked at anew each time."""

    def __init__(self, path: Path, name: str = "") -> None:
        """Name a single model `name`; else its file or folder names it. NOT_FOUND if nothing is there."""
        if not path.exists():
            raise not_found(f"{path}: there is no such file or folder")
        self._path = path
        self._name = name

    def offers(self) -> Sequence[Offer]:
        """All versions of all models, oldest first."""
        if self._path.is_file():
            return [_offer(self._name or _stem(self._path), _FIRST, self._path)]
        alone = _versions(self._path, self._name or self._path.resolve().name)
        if alone:
            return alone
        found: list[Offer] = []
        for entry in sorted(self._path.iterdir()):
            if entry.is_file() and entry.suffix == SUFFIX:
                found.append(_offer(_stem(entry), _FIRST, entry))
            elif entry.is_dir():
                found += _versions(entry, entry.name)
        return found


def _versions(folder: Path, name: str) -> list[Offer]:
    """The versions of one model's folder: `model.onnx` itself, or numbered folders that hold one."""
    bare = folder / f"model{SUFFIX}"
    found = [_offer(name, _FIRST, bare)] if bare.is_file() else []
    numbered = (entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdigit())
    for entry in sorted(numbered, key=lambda entry: int(entry.name)):
        file = entry / f"model{SUFFIX}"
        files = [file] if file.is_file() else sorted(entry.glob(f"*{SUFFIX}"))
        if files:
            found.append(_offer(name, entry.name, files[0]))
    return found


def _stem(path: Path) -> str:
    return path.resolve().parent.name if path.name == f"model{SUFFIX}" else path.stem


def _offer(name: str, version: str, path: Path) -> Offer:
    state = path.stat()
    digest = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()
    return Offer(name, version, path, digest)
