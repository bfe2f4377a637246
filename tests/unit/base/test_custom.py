"""A model that may use an operator of the user's is told by its bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.base import custom


def test_names_are_found_in_bytes_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "ADDED", set())
    file = tmp_path / "m.onnx"
    file.write_bytes(b"...MyOp...")
    assert not custom.mentioned(file), "nothing was added"
    custom.ADDED.add(("mine", "MyOp", 1))
    assert custom.mentioned(file)
    assert custom.mentioned(b"xMyOpx")
    assert not custom.mentioned(b"My Op")
    (tmp_path / "empty").write_bytes(b"")
    assert not custom.mentioned(tmp_path / "empty")
    with pytest.raises(OSError, match="absent"):
        custom.mentioned(tmp_path / "absent")
