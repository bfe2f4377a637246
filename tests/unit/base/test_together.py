"""Files that belong together are written together, or not at all."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from sardonyx.base.together import WriteError, written
from tests.disk import full_disk


def test_all_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "a.onnx", tmp_path / "b.json"
    assert written({first: b"1", second: b"2"}) == [first, second]
    assert first.read_bytes() == b"1" and second.read_bytes() == b"2"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match=r"c\.html cannot be written: .*; nothing was kept"):
        written({first: b"3", tmp_path / "file" / "c.html": b"4"})
    assert first.read_bytes() == b"1"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.onnx", "b.json", "file", "new"]


def test_a_folder_in_the_place_of_a_file_is_seen_first(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with pytest.raises(WriteError, match=r"report cannot be written: Is a directory; nothing was kept"):
        written({tmp_path / "a.onnx": b"1", tmp_path / "report": b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_what_does_not_fit_leaves_the_old_files(tmp_path: Path) -> None:
    written({tmp_path / "a.onnx": b"old"})
    with full_disk(100), pytest.raises(WriteError, match=r"b\.json cannot be written: File too large"):
        written({tmp_path / "a.onnx": b"new", tmp_path / "b.json": bytes(200)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == b"old"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100
