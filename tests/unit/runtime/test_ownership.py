"""Files of other users, and those that others may write to, are not used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sardonyx.runtime.ownership import PRIVATE_FOLDER, fault, folder_fault, make_folder


def status(uid: int, mode: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


def test_whose_file_it_is() -> None:
    own = os.geteuid()
    assert fault(status(own, 0o100600)) == ""
    assert fault(status(0, 0o100644)) == "", "the administrator's"
    assert "another user (number 12345)" in fault(status(12345, 0o100600))
    assert "other users may write" in fault(status(own, 0o100620))
    assert "other users may write" in fault(status(own, 0o100602))


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert folder_fault(folder) == "", "it may still be made"
    make_folder(folder)
    make_folder(folder)
    assert folder.stat().st_mode & 0o777 == PRIVATE_FOLDER
    assert folder_fault(folder) == ""
    folder.chmod(0o777)
    assert "may write" in folder_fault(folder)
    with pytest.raises(OSError, match="file"):
        (tmp_path / "file").write_bytes(b"")
        make_folder(tmp_path / "file" / "c")
