"""In which folders the external data of a model may lie, and how its files are found there.

Must not know what the files hold.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def folders_of(model: str | os.PathLike[str] | None, given: str | None) -> tuple[Path, ...]:
    """The folders for a model file, or for bytes if it is None; files are named from the first one.

    A folder that the user gives is the only one. If the model's own file was reached through a link, as in
    the caches of model hubs, the second is that where the file itself lies.
    """
    if given or model is None:
        return (Path(given or "."),)
    path = Path(model)
    return path.parent, path.resolve().parent


def file_name(location: str) -> str:
    """A location that a model names, as this system takes it: models write UTF-8 in any locale."""
    return os.fsdecode(location.encode("utf-8", "surrogateescape"))


def find(folders: Sequence[Path], location: str) -> Path | None:
    """The file at a location, existing or not; None if its name or a link leads out of the folders."""
    if not location or "\0" in location or Path(location).is_absolute():
        return None
    location = file_name(location)
    if Path(os.path.normpath(location)).parts[:1] == (os.pardir,):
        return None
    path = (folders[0] / location).resolve()
    return path if any(path.is_relative_to(folder.resolve()) for folder in folders) else None
