"""What is said of a path that is no file, in the same words wherever one is asked for."""

from __future__ import annotations

import os
from pathlib import Path


def no_file(path: str | os.PathLike[str], what: str = "file") -> str:
    """That there is none, or that it is a folder; `what` it should be."""
    return f"{path} is a folder; give a {what}" if Path(path).is_dir() else f"there is no {what} {path}"
