"""Which operators users have added.

A model that mentions one is neither taken from the cache nor kept there: its meaning is code of the user's.
"""

from __future__ import annotations

import mmap
import os

ADDED: set[tuple[str, str, int]] = set()
"""Domain, name and first opset of every operator added in this process."""


def mentioned(model: str | os.PathLike[str] | bytes) -> bool:
    """Whether the bytes of a model file may use an added operator. Raises OSError if it cannot be read."""
    if not ADDED:
        return False
    names = {name.encode() for _, name, _ in ADDED}
    if isinstance(model, bytes):
        return any(name in model for name in names)
    with open(model, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(name) >= 0 for name in names)
