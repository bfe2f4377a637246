"""Machine code of modules that all models share, as a wheel brings it along; a checkout has none.

Decides whether it belongs to the code around it. Must not know what the modules compute.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from sardonyx.base.target import Target

FOLDER = Path(__file__).with_name("shipped")
_INDEX = "index.json"
_SOURCES = ("base", "kernels", "llvm", "object", "targets")
"""Folders of the package that decide the code of shared modules."""


def find(name: str, target: Target, precision: str) -> bytes | None:
    """The object of a module that was compiled for just this target; None if none came along."""
    file = _index().get(_title(name, target, precision))
    try:
        return (FOLDER / file).read_bytes() if file is not None else None
    except OSError:
        return None


def write(folder: Path, objects: Mapping[tuple[str, Target, str], bytes]) -> None:
    """Write objects by name, target and precision as `find` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for title, code in objects.items():
        files[_title(*title)] = file = f"{hashlib.sha256(code).hexdigest()[:16]}.o"
        (folder / file).write_bytes(code)
    index = {"sources": sources(), "files": files}
    (folder / _INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def sources() -> str:
    """A digest of the names and sizes of the files that decide the code of shared modules."""
    root = str(Path(__file__).parents[1])
    rows = sorted(row for folder in _SOURCES for row in _sizes(f"{root}/{folder}", folder))
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _sizes(folder: str, name: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".ll")):
                yield f"{name}/{entry.name}", entry.stat().st_size
            elif "." not in entry.name and entry.is_dir():
                yield from _sizes(entry.path, f"{name}/{entry.name}")


def _title(name: str, target: Target, precision: str) -> str:
    return f"{name} / {target.name} {_facts(target)} / {precision}"


@cache
def _facts(target: Target) -> str:
    """A digest of all that texts and code depend on."""
    return hashlib.sha256(repr(target).encode()).hexdigest()[:16]


@cache
def _index() -> Mapping[str, str]:
    try:
        index = json.loads((FOLDER / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    files: Mapping[str, str] = index["files"]
    return files if index["sources"] == sources() else {}
