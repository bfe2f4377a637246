"""Whose files are used: code that is mapped and run comes from this user or the administrator alone.

Decides by owner and permissions; must not know what files hold. Where a system has no users, all may be used.
"""

from __future__ import annotations

import os
from stat import S_IWGRP, S_IWOTH

_ADMINISTRATOR = 0
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def fault(status: os.stat_result) -> str:
    """Why a file or folder is not to be used; nothing if it may be."""
    if not hasattr(os, "geteuid"):
        return ""
    if status.st_uid not in (os.geteuid(), _ADMINISTRATOR):
        return f"it belongs to another user (number {status.st_uid})"
    if status.st_mode & (S_IWGRP | S_IWOTH):
        return "other users may write to it"
    return ""


def folder_fault(path: str | os.PathLike[str]) -> str:
    """Why a folder is not to be used; nothing if it may be, or is not there yet."""
    try:
        return fault(os.stat(path))
    except OSError:
        return ""


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder for this user alone, and those above it as usual. Raises OSError if it cannot be made."""
    os.makedirs(path, PRIVATE_FOLDER, exist_ok=True)
