"""Files that belong together: all are written, or none is."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sardonyx.errors import SardonyxError


class WriteError(SardonyxError):
    """Files could not be written; the message says which and why."""


def written(contents: Mapping[Path, bytes | str]) -> list[Path]:
    """Put all files in place after all of them were written whole; WriteError if they do not fit."""
    parts: list[tuple[Path, Path]] = []
    path = Path()
    try:
        with contextlib.ExitStack() as folders:
            for path, content in contents.items():
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                path.parent.mkdir(parents=True, exist_ok=True)
                folder = tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent)
                whole = Path(folders.enter_context(folder)) / path.name
                whole.write_bytes(content.encode() if isinstance(content, str) else content)
                parts.append((whole, path))
            for whole, path in parts:
                whole.replace(path)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}; nothing was kept") from error
    return list(contents)
