"""Machine code of modules that all models share, as a wheel brings it along; a checkout has none.

Decides whether it belongs to the code around it. Must not know what the modules compute.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from sardonyx.base.digest import begun
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target

FOLDER = Path(__file__).with_name("shipped")
_INDEX = "index.json"
_SOURCES = ("base", "emit", "fuse", "ir", "kernels", "llvm", "loops", "object", "passes", "targets")
"""Folders of the package that decide the code of shared modules: all that these modules import."""


def find(name: str, target: Target, precision: str, around: Callable[[], str]) -> bytes | None:
    """The object of a module that was compiled for just this target; None if none came along.

    `around` gives the digest of the sources around, see `sources`.
    """
    index = _index()
    file = index.files.get(_title(name, target, precision))
    try:
        return (FOLDER / file).read_bytes() if file is not None and index.sources == around() else None
    except OSError:
        return None


def write(folder: Path, objects: Mapping[tuple[str, Target, str], bytes]) -> None:
    """Write objects by name, target and precision as `find` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for title, code in objects.items():
        files[_title(*title)] = file = f"{begun(code, 8).hexdigest()}.o"
        (folder / file).write_bytes(code)
    index = {"sources": sources(), "files": files}
    (folder / _INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def sources() -> str:
    """A digest of the files that decide the code of shared modules: their names and their content."""
    root = Path(__file__).parents[1]
    digest = begun()
    for name in sorted(name for folder in _SOURCES for name in _files(f"{root}/{folder}", folder)):
        content = (root / name).read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _files(folder: str, name: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".ll")):
                yield f"{name}/{entry.name}"
            elif "." not in entry.name and entry.is_dir():
                yield from _files(entry.path, f"{name}/{entry.name}")


def _title(name: str, target: Target, precision: str) -> str:
    return f"{name} / {target.name} {_facts(target)} / {precision}"


@cache
def _facts(target: Target) -> str:
    """A digest of all that texts and code depend on."""
    return begun(repr(target).encode(), 8).hexdigest()


class _Index(NamedTuple):
    """What came along: the digest of the sources it was made from, and the file of each object."""

    sources: str
    files: Mapping[str, str]


@cache
def _index() -> _Index:
    try:
        return _Index(**json.loads((FOLDER / _INDEX).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return _Index("", {})
