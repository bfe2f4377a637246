"""Files that belong together are written together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.vision.pictures import VisionError
from sardonyx.vision.writing import written


def test_all_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "a.onnx", tmp_path / "b.json"
    assert written({first: b"1", second: b"2"}) == [first, second]
    assert first.read_bytes() == b"1" and second.read_bytes() == b"2"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VisionError, match=r"c\.html cannot be written: .*; nothing was kept"):
        written({first: b"3", tmp_path / "file" / "c.html": b"4"})
    assert first.read_bytes() == b"1"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.onnx", "b.json", "file", "new"]
