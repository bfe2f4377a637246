"""A path that is no file is missing, or a folder, and that is said."""

from __future__ import annotations

from pathlib import Path

from sardonyx.base.files import no_file


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert no_file(tmp_path / "none") == f"there is no file {tmp_path / 'none'}"
    assert no_file(tmp_path) == f"{tmp_path} is a folder; give a file"
