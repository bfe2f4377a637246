"""What is said of a path that is no file, or cannot be written, in the same words wherever that happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def no_file(path: str | os.PathLike[str], what: str = "file") -> str:
    """That there is none, or that it is a folder; `what` it should be."""
    return f"{path} is a folder; give a {what}" if Path(path).is_dir() else f"there is no {what} {path}"


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within this context, errors of the system name that file where they name none: a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise
