"""A path that is no file is missing, or a folder, and that is said."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sardonyx.base.files import no_file, writing
from tests.disk import full_disk


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert no_file(tmp_path / "none") == f"there is no file {tmp_path / 'none'}"
    assert no_file(tmp_path) == f"{tmp_path} is a folder; give a file"


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    with full_disk(10), pytest.raises(OSError) as told, writing(tmp_path / "x"):
        (tmp_path / "x").write_bytes(bytes(20))
    assert (told.value.errno, told.value.filename) == (errno.EFBIG, str(tmp_path / "x"))


def test_a_file_that_is_told_stays(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told, writing(tmp_path / "x"):
        (tmp_path / "none").read_bytes()
    assert told.value.filename == str(tmp_path / "none")
